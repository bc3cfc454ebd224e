/* SPDX-License-Identifier: MIT */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <shipopt/ledger.h>

#include "base/reference.h"
#include "runtime/runtime.h"
#include "store/backend.h"

/*
 * The handle: views of tenants over one core.
 *
 * shipopt_store is a view: a tenant and a counted hold on the core. The core has the back-end, the runtime member and how
 * completions are delivered; it lives until the last view is gone (operations hold theirs) and the back-end has ended.
 *
 * Ends. The runtime's close calls the member's `stop` when no operation runs any more: the back-end finishes what was
 * submitted and joins. The last view's end tells the back-end to finish and returns at once; once it has, a
 * worker joins it and frees the core. From that moment until then it counts as a running operation, so that a close waits
 * for it and never sees half of it. Where the close has already begun, the last view waits for `stop` instead (it is short: nothing
 * runs any more) and frees the core itself.
 */
struct store_core {
	struct reference views;
	shipopt_runtime *runtime;
	struct runtime_member member;
	struct delivery delivery;
	struct backend *backend;
	struct task close_task;
};

struct shipopt_store {
	struct reference reference;
	struct store_core *core;
	char *tenant;
};

/* Another hold on the same view, dropped with shipopt_store_free(). */
shipopt_store *store_ref(shipopt_store *store);

/* The back-end of a URL. Errors name the URL without a password. */
int store_url_open(const char *url, const struct backend_options *options, struct backend **ret_backend,
	shipopt_error **ret_error);

#endif
