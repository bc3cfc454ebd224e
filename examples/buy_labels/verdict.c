/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>

#include "buy_labels.h"

/* ---- items: in the callback -------------------------------------------------------------------------------- */

/* 1 if the reason is in the order itself, so that running it again would not help. What the carrier refuses because of
 * the order has a code of its own; an account, a base URL, a busy or a failing carrier have others. */
static int verdict_is_own(int status)
{
	switch (status) {
	case SHIPOPT_EINVAL:
	case SHIPOPT_ETYPE:
	case SHIPOPT_EPARSE:
	case SHIPOPT_EENCODING:
	case SHIPOPT_ETOOLARGE:
	case SHIPOPT_EREFUSED:
	case SHIPOPT_ENORATE:
	case SHIPOPT_ECONFLICT:
	case SHIPOPT_ENOTFOUND: return 1;
	default: return 0;
	}
}

static void verdict_keep_reason(struct verdict *verdict, const shipopt_item *item)
{
	if (verdict->reason_count == REASONS_MAX)
		return;
	struct reason *reason = &verdict->reasons[verdict->reason_count++];
	reason->line = shipopt_item_line(item);
	reason->status = shipopt_item_status(item);
	snprintf(reason->key, sizeof(reason->key), "%s", shipopt_item_key(item));
	snprintf(reason->text, sizeof(reason->text), "%s", shipopt_error_message(shipopt_item_error(item)));
}

/* A carrier that is away for hours must not fail ten thousand orders one by one. A refused key, missing funds, a wrong
 * address and a carrier that was never reached end the run without our help. */
static void verdict_count_stranded(struct verdict *verdict, int status)
{
	if (status == SHIPOPT_EAUTH || status == SHIPOPT_EPAYMENT)
		return;
	if (++verdict->stranded >= STRANDED_MAX)
		atomic_store(&verdict->must_stop, 1);
}

void verdict_add(void *userdata, const shipopt_item *item)
{
	struct verdict *verdict = userdata;
	int status = shipopt_item_status(item);
	if (status >= 0)
		verdict->stranded = 0;
	if (status >= 0 || status == SHIPOPT_ECANCELED)
		return;
	verdict_keep_reason(verdict, item);
	if (verdict_is_own(status) || status == SHIPOPT_EINDOUBT || status == SHIPOPT_EHELD)
		return;
	if (status == SHIPOPT_ELIMIT) {
		verdict->limited++;
		return;
	}
	verdict->not_own++;
	verdict_count_stranded(verdict, status);
}

/* ---- the summary --------------------------------------------------------------------------------------------- */

static void verdict_print_reasons(const struct job *job)
{
	const struct verdict *verdict = &job->verdict;
	for (size_t i = 0; i < verdict->reason_count; i++) {
		const struct reason *reason = &verdict->reasons[i];
		const char *kind = reason->status == SHIPOPT_EINDOUBT ? "in doubt"
			: reason->status == SHIPOPT_EHELD             ? "held"
								      : "failed";
		printf("  %s: line %" PRId64 ", order %s: %s\n", kind, reason->line,
			reason->key[0] ? reason->key : "(no key)", reason->text);
	}
	int64_t all = run_number(job, SHIPOPT_RUN_STAT_FAILED) + run_number(job, SHIPOPT_RUN_STAT_IN_DOUBT) +
		run_number(job, SHIPOPT_RUN_STAT_HELD);
	if (all > (int64_t)verdict->reason_count)
		printf("  and %" PRId64 " more, all in %s\n", all - (int64_t)verdict->reason_count, job->options.out);
}

static void verdict_print_money(const struct job *job)
{
	const char *carrier, *currency;
	int64_t labels, amount;
	for (size_t i = 0; shipopt_run_spend(job->run, i, &carrier, &currency, &labels, &amount) >= 0; i++) {
		char text[SHIPOPT_MONEY_TEXT_SIZE];
		shipopt_money_format(amount, currency, text, sizeof(text));
		printf("  spent: %s %s %s for %" PRId64 " label%s\n", carrier, text, currency, labels,
			labels == 1 ? "" : "s");
	}
}

static void verdict_print_times(const struct job *job)
{
	printf("%" PRId64 " orders in %.1f s, %" PRId64 " requests to the carrier, %" PRId64 " of them retries\n",
		run_number(job, SHIPOPT_RUN_STAT_READ), (double)run_number(job, SHIPOPT_RUN_STAT_ELAPSED_MS) / 1000.0,
		run_number(job, SHIPOPT_RUN_STAT_REQUESTS), run_number(job, SHIPOPT_RUN_STAT_RETRIES));
	if (run_number(job, SHIPOPT_RUN_STAT_P50_US) > 0)
		printf("  time of an order: p50 %.0f ms, p95 %.0f ms, p99 %.0f ms\n",
			(double)run_number(job, SHIPOPT_RUN_STAT_P50_US) / 1000.0,
			(double)run_number(job, SHIPOPT_RUN_STAT_P95_US) / 1000.0,
			(double)run_number(job, SHIPOPT_RUN_STAT_P99_US) / 1000.0);
}

void verdict_print_summary(const struct job *job)
{
	int64_t done = run_number(job, SHIPOPT_RUN_STAT_DONE), canceled = run_number(job, SHIPOPT_RUN_STAT_CANCELED);
	verdict_print_times(job);
	verdict_print_money(job);
	verdict_print_reasons(job);
	printf("  results: %s   ledger: %s\n", job->options.out, job->options.store);
	if (job->options.rates_only)
		printf("0 bought, %" PRId64 " rated", done);
	else
		printf("%" PRId64 " bought", done);
	printf(", %" PRId64 " already bought, %" PRId64 " failed, %" PRId64 " in doubt, %" PRId64 " held",
		run_number(job, SHIPOPT_RUN_STAT_ALREADY), run_number(job, SHIPOPT_RUN_STAT_FAILED),
		run_number(job, SHIPOPT_RUN_STAT_IN_DOUBT), run_number(job, SHIPOPT_RUN_STAT_HELD));
	if (canceled > 0)
		printf(", %" PRId64 " not begun", canceled);
	printf("\n");
	fflush(stdout);
}

/* ---- what is left to do -------------------------------------------------------------------------------------- */

/* Counts the ledger rows that no run can finish, also those of earlier runs and other files. -1: not known. */
static int64_t verdict_count_for_person(const struct job *job)
{
	shipopt_op *op = NULL;
	int r = shipopt_ledger_count(shipopt_client_store(job->client), SHIPOPT_LEDGER_NEEDS_PERSON, NULL, NULL, &op);
	if (r >= 0)
		r = shipopt_op_wait(op, -1);
	int64_t count = r < 0 ? -1 : shipopt_op_value(op);
	shipopt_op_unref(op);
	return count;
}

/* Says why the run ended before its orders did. 1 if it has. */
static int verdict_explain_end(const struct job *job, int run_status)
{
	const shipopt_error *error = shipopt_op_error(shipopt_run_op(job->run));
	if (run_status >= 0)
		return 0;
	if (interrupted)
		fprintf(stderr,
			"buy_labels: interrupted; run the same command again to continue, nothing is bought twice\n");
	else if (atomic_load(&job->verdict.must_stop))
		fprintf(stderr,
			"buy_labels: stopped, because %d orders in a row failed for a reason outside of the order; run the same"
			" command again when the reason is gone\n",
			STRANDED_MAX);
	else
		fprintf(stderr, "buy_labels: the run ended early: %s\nbuy_labels: %s\n", shipopt_error_message(error),
			shipopt_error_advice(error));
	return 1;
}

static int verdict_explain_orders(const struct job *job)
{
	int status = 0;
	if (run_number(job, SHIPOPT_RUN_STAT_IN_DOUBT) > 0) {
		fprintf(stderr,
			"buy_labels: it is not known yet whether the labels in doubt were bought; run the same command again"
			" later: they are looked up, not bought again\n");
		status = 1;
	}
	if (run_number(job, SHIPOPT_RUN_STAT_HELD) > 0) {
		fprintf(stderr,
			"buy_labels: held orders wait for you: correct the row, or settle them in the ledger\n");
		status = 1;
	}
	if (job->verdict.limited > 0) {
		fprintf(stderr, "buy_labels: a limit stopped %" PRId64 " orders: raise it and run again\n",
			job->verdict.limited);
		status = 1;
	}
	return status;
}

static int verdict_explain_ledger(const struct job *job)
{
	int64_t count = verdict_count_for_person(job);
	if (count <= 0)
		return 0;
	fprintf(stderr,
		"buy_labels: %" PRId64 " ledger rows wait for a person: look them up at the carrier and settle them"
		" (shipopt_ledger_list with SHIPOPT_LEDGER_NEEDS_PERSON, shipopt_ledger_resolve)\n",
		count);
	return 1;
}

int verdict_exit_status(const struct job *job, int run_status)
{
	int status = verdict_explain_end(job, run_status);
	status |= verdict_explain_orders(job);
	status |= verdict_explain_ledger(job);
	if (job->verdict.not_own > 0 && status == 0) {
		fprintf(stderr,
			"buy_labels: some orders failed for a reason outside of the order; run the same command again\n");
		status = 1;
	}
	return status;
}
