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
 * A shipopt_store is a view: a tenant and a reference to the core. The core has the back-end, the runtime member and
 * the way in which completions are delivered. It lives until the last view is gone and the back-end has ended.
 * Operations have references to their view.
 *
 * How it ends. The runtime's close calls the member's `stop` when no operation runs any more; then the back-end
 * finishes what was submitted and its thread is joined. If the last view goes before that, the back-end is told to
 * finish, and the call returns at once; later a worker joins the back-end and frees the core. Until then the core
 * counts as a running operation, so that a close waits for it. If the close has already started, the last view closes
 * the back-end itself. That is short, because nothing runs any more.
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

/* Takes a reference to the view, to be dropped with shipopt_store_free(). */
shipopt_store *store_ref(shipopt_store *store);

/* Makes the back-end of a URL. Errors show the URL without a password. */
int store_url_open(const char *url, const struct backend_options *options, struct backend **ret_backend,
	shipopt_error **ret_error);

#endif
