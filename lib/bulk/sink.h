/* SPDX-License-Identifier: MIT */
#ifndef BULK_SINK_H
#define BULK_SINK_H

#include <shipopt/bulk.h>

#include "bulk/item.h"

/* A place for results: a buffered file of CSV or JSON lines. Written by one thread at a time, the run's delivery. */

/* SHIPOPT_EIO with the system's reason, SHIPOPT_ENOMEM; a failed sink stays failed. */
int sink_write(shipopt_sink *sink, const shipopt_item *item, shipopt_error **ret_error);
/* Hands everything written so far to the system. */
int sink_flush(shipopt_sink *sink, shipopt_error **ret_error);

#endif
