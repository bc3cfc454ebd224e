/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_RUN_H
#define SHIPOPT_RUN_H

#include <shipopt/error.h>
#include <shipopt/op.h>

SHIPOPT_BEGIN_DECLS

/*
 * Runs: the control and the numbers of a bulk run. The calls of <shipopt/bulk.h> start one.
 *
 * A run is an operation with more to it. shipopt_run_op() gives the operation, to wait for, to cancel, or to read the
 * status of. Every call of this header may be made on any thread, while the run goes on and afterwards.
 *
 * Since 0.2. (In 0.1 a run was a shipopt_op.)
 */
typedef struct shipopt_run shipopt_run;

/* Reports progress: read the numbers with shipopt_run_stat(). Called every progress_ms and once after the last item.
 * The callbacks of one run never overlap. `run` is borrowed. <shipopt/bulk.h> says on which thread. */
typedef void (*shipopt_progress_fn)(void *userdata, shipopt_run *run);

/* Returns the run's operation. It is borrowed and lives as long as the run: do not unref it. NULL for NULL. */
SHIPOPT_API shipopt_op *shipopt_run_op(shipopt_run *run);

/* Take and drop a reference. `ref` returns its argument. Both accept NULL. Dropping the last reference does not cancel
 * the run. */
SHIPOPT_API shipopt_run *shipopt_run_ref(shipopt_run *run);
SHIPOPT_API void shipopt_run_unref(shipopt_run *run);

/* Stop and restart the start of items. Items that were started go on. Both return at once; repeating a call does
 * nothing. SHIPOPT_EINVAL: NULL. SHIPOPT_ESTATE: the run is done. SHIPOPT_ESHUTDOWN, SHIPOPT_EFORKED. */
SHIPOPT_API int shipopt_run_pause(shipopt_run *run);
SHIPOPT_API int shipopt_run_resume(shipopt_run *run);

/*
 * Numbers of a run.
 *
 *   READ            Orders read from the source.
 *   DONE            Items that succeeded. In a buy run also purchases that were in doubt and turned out to be bought.
 *   ALREADY         Items that an earlier run had bought or rated.
 *   IN_DOUBT, HELD  Items that ended with SHIPOPT_EINDOUBT or SHIPOPT_EHELD.
 *   CANCELED        Items that ended with SHIPOPT_ECANCELED.
 *   FAILED          Items that ended with any other error.
 *   IN_FLIGHT       Items that are being worked on now.
 *   SETTLING        Items that wait now for a purchase in doubt or for another process's lease.
 *   ELAPSED_MS      Time since the start, until the end of the run.
 *   ITEMS_PER_1000_S  Items per 1,000 seconds over the whole run.
 *   ETA_MS          Estimated time to the end; -1: the size of the source is not known.
 *   P50_US, P95_US, P99_US  Latency of the items that succeeded: median, 95th and 99th percentile.
 *   REQUESTS        Requests sent to the carrier so far, retries included.
 *   RETRIES         Requests that repeated one that had failed.
 *   PROBLEM_AGE_MS  Time since the last problem; -1: there was none. See shipopt_run_problem().
 */
enum {
	SHIPOPT_RUN_STAT_READ = 1,
	SHIPOPT_RUN_STAT_DONE = 2,
	SHIPOPT_RUN_STAT_ALREADY = 3,
	SHIPOPT_RUN_STAT_FAILED = 4,
	SHIPOPT_RUN_STAT_IN_DOUBT = 5,
	SHIPOPT_RUN_STAT_HELD = 6,
	SHIPOPT_RUN_STAT_CANCELED = 7,
	SHIPOPT_RUN_STAT_IN_FLIGHT = 8,
	SHIPOPT_RUN_STAT_SETTLING = 9,
	SHIPOPT_RUN_STAT_ELAPSED_MS = 10,
	SHIPOPT_RUN_STAT_ITEMS_PER_1000_S = 11,
	SHIPOPT_RUN_STAT_ETA_MS = 12,
	SHIPOPT_RUN_STAT_P50_US = 13,
	SHIPOPT_RUN_STAT_P95_US = 14,
	SHIPOPT_RUN_STAT_P99_US = 15,
	SHIPOPT_RUN_STAT_REQUESTS = 16,
	SHIPOPT_RUN_STAT_RETRIES = 17,
	SHIPOPT_RUN_STAT_PROBLEM_AGE_MS = 18
};

/* Reads one number. SHIPOPT_EINVAL: an argument is NULL, or there is no such number. */
SHIPOPT_API int shipopt_run_stat(shipopt_run *run, int stat, int64_t *ret_value);

/*
 * Reads the last problem: the newest request of this run that failed because of the network, the server or a rate
 * limit, also if the run repeats it. So a program can say why a run makes no progress. A refusal of an order is not a
 * problem of the run. The caller owns a reference to *ret_problem and drops it with shipopt_error_unref().
 * SHIPOPT_ENOTFOUND: there was no problem so far. SHIPOPT_EINVAL: an argument is NULL.
 */
SHIPOPT_API int shipopt_run_problem(shipopt_run *run, shipopt_error **ret_problem);

/*
 * Reads line `index` of the money that this run has spent: one line for each carrier and currency, in order of first
 * use. Amounts are in millionths. The texts live as long as the run. SHIPOPT_ENOTFOUND: there are no more lines.
 * SHIPOPT_EINVAL: an argument is NULL.
 */
SHIPOPT_API int shipopt_run_spend(shipopt_run *run, size_t index, const char **ret_carrier, const char **ret_currency,
	int64_t *ret_labels, int64_t *ret_amount);

SHIPOPT_END_DECLS

#endif
