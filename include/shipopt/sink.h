/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_SINK_H
#define SHIPOPT_SINK_H

#include <shipopt/error.h>

SHIPOPT_BEGIN_DECLS

/*
 * Sinks: files that a bulk run writes its items to, one line each.
 *
 * The caller owns a sink. One run at a time may write to it. The caller must keep it until the run is done, and then
 * closes and frees it. A failed write ends the run with SHIPOPT_EIO. The library hands every delivered item to the
 * operating system; it does not force the file to disk.
 *
 * CSV columns: index, line, order_key, status, reason, tracking_code, carrier, service, amount, currency, shipment_id,
 * label_url, attempts, latency_ms. `status` is "done", "already", or the name of the error. `reason` is the error's
 * message on one line; it lists the refused fields.
 *
 * JSON lines have the same members, without the empty ones. Amounts are text. They also have:
 *
 *   errors  The refused fields of a failed item, each with `field`, `code`, `message` and `suggestion`.
 *   input   What the file had for a failed item.
 *   value   The answer of a call run.
 *   record  The whole shipment, tracker or address.
 *
 * Since 0.1.
 */
typedef struct shipopt_sink shipopt_sink;

/*
 * Create a file for results. An existing file is truncated; "-" is standard output. `guard_formulas` 1 puts ' before a
 * text that a spreadsheet would run as a formula. The caller owns *ret_sink. Errors: SHIPOPT_EINVAL (a NULL argument,
 * or `guard_formulas` is neither 0 nor 1), SHIPOPT_EIO with the system's reason, SHIPOPT_ENOMEM.
 */
SHIPOPT_API int shipopt_sink_open_csv(const char *path, int guard_formulas, shipopt_sink **ret_sink,
	shipopt_error **ret_error);
SHIPOPT_API int shipopt_sink_open_json_lines(const char *path, shipopt_sink **ret_sink, shipopt_error **ret_error);

/*
 * Writes what is still buffered and closes the file. Call it after the run is done, and free the sink afterwards.
 * Returns 0 if the operating system has every item that the run delivered. Repeating the call returns the same code.
 * Errors: SHIPOPT_EIO if the file may be incomplete, SHIPOPT_EINVAL for NULL. Since 0.2.
 */
SHIPOPT_API int shipopt_sink_close(shipopt_sink *sink, shipopt_error **ret_error);

/* Frees a sink, after closing it if it was not closed. If that fails, an error line goes to the log of the runtime
 * whose run used the sink. Accepts NULL. */
SHIPOPT_API void shipopt_sink_free(shipopt_sink *sink);

SHIPOPT_END_DECLS

#endif
