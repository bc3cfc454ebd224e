/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "buy_labels.h"

#define PROBLEM_SHOWN_MS 15000 /* the progress line shows a problem for this long */
#define PROBLEM_TEXT_MAX 60    /* bytes of it, on a terminal */

int64_t run_number(const struct job *job, int stat)
{
	int64_t value = 0;
	shipopt_run_stat(job->run, stat, &value);
	return value;
}

/* ", 240 requests, 3 retries; last problem: POST /shipments: cannot connect …". The problem only while it is recent. */
static void watch_print_requests(const struct job *job, int on_terminal)
{
	shipopt_error *problem = NULL;
	int64_t retries = run_number(job, SHIPOPT_RUN_STAT_RETRIES);
	fprintf(stderr, ", %" PRId64 " requests", run_number(job, SHIPOPT_RUN_STAT_REQUESTS));
	if (retries > 0)
		fprintf(stderr, ", %" PRId64 " retr%s", retries, retries == 1 ? "y" : "ies");
	if (shipopt_run_problem(job->run, &problem) < 0)
		return;
	if (run_number(job, SHIPOPT_RUN_STAT_PROBLEM_AGE_MS) <= PROBLEM_SHOWN_MS)
		fprintf(stderr, "; last problem: %.*s", on_terminal ? PROBLEM_TEXT_MAX : 1000,
			shipopt_error_message(problem));
	shipopt_error_unref(problem);
}

/* "[#####-----] 120 bought, 1 failed, 0 in doubt, 24.1/s, 0:08 left, …". The end of the bar is an estimate by the size
 * of the file. */
static void watch_print(const struct job *job, int on_terminal)
{
	int64_t elapsed = run_number(job, SHIPOPT_RUN_STAT_ELAPSED_MS), eta = run_number(job, SHIPOPT_RUN_STAT_ETA_MS);
	int64_t settled = run_number(job, SHIPOPT_RUN_STAT_DONE) + run_number(job, SHIPOPT_RUN_STAT_ALREADY);
	char bar[] = "[--------------------] ", left[48] = "";
	if (eta >= 0) {
		snprintf(left, sizeof(left), ", %" PRId64 ":%02" PRId64 " left", eta / 60000, eta / 1000 % 60);
		memset(bar + 1, '#', (size_t)(20 * elapsed / (elapsed + eta + 1)));
	}
	fprintf(stderr, "%s%s%" PRId64 " %s, %" PRId64 " failed, %" PRId64 " in doubt, %.1f/s%s",
		on_terminal ? "\r" : "", on_terminal && eta >= 0 ? bar : "", settled,
		job->options.rates_only ? "rated" : "bought", run_number(job, SHIPOPT_RUN_STAT_FAILED),
		run_number(job, SHIPOPT_RUN_STAT_IN_DOUBT) + run_number(job, SHIPOPT_RUN_STAT_SETTLING),
		(double)run_number(job, SHIPOPT_RUN_STAT_ITEMS_PER_1000_S) / 1000.0, left);
	watch_print_requests(job, on_terminal);
	fprintf(stderr, "%s", on_terminal ? "\033[K" : "\n");
	fflush(stderr);
}

static int64_t watch_ended_items(const struct job *job)
{
	return run_number(job, SHIPOPT_RUN_STAT_DONE) + run_number(job, SHIPOPT_RUN_STAT_ALREADY) +
		run_number(job, SHIPOPT_RUN_STAT_FAILED) + run_number(job, SHIPOPT_RUN_STAT_HELD) +
		run_number(job, SHIPOPT_RUN_STAT_IN_DOUBT);
}

static void watch_cancel(struct job *job, int on_terminal)
{
	fprintf(stderr, "%sbuy_labels: stopping after the purchases that were sent%s\n", on_terminal ? "\r\033[K" : "",
		interrupted ? " (Ctrl-C again ends at once, which is safe, too)" : "");
	shipopt_op_cancel(shipopt_run_op(job->run));
}

int watch_run(struct job *job)
{
	shipopt_op *op = shipopt_run_op(job->run);
	int on_terminal = isatty(STDERR_FILENO), is_canceled = 0;
	int64_t shown_ms = 0, shown_ended = -1;
	for (;;) {
		shipopt_op_wait(op, TICK_MS);
		if (shipopt_op_is_done(op)) {
			if (on_terminal)
				fprintf(stderr, "\r\033[K");
			return shipopt_op_status(op);
		}
		if (!is_canceled && (interrupted || atomic_load(&job->verdict.must_stop))) {
			is_canceled = 1;
			watch_cancel(job, on_terminal);
		}
		/* A terminal shows movement. A log gets a line each second in which something ended, otherwise one in
		 * ten. */
		int64_t since_ms = run_number(job, SHIPOPT_RUN_STAT_ELAPSED_MS) - shown_ms;
		int64_t ended = watch_ended_items(job);
		if (since_ms >= (on_terminal ? TICK_MS : ended != shown_ended ? 1000 : 10000)) {
			shown_ms += since_ms;
			shown_ended = ended;
			watch_print(job, on_terminal);
		}
	}
}
