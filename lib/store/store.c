/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_STORE

#include "store/store.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "runtime/delivery.h"
#include "store/ledger.h"
#include "store/store_config.h"

#define TENANT_MAX_BYTES 64

/* --- the core's life --- */

static void store_core_free(struct store_core *core)
{
	shipopt_runtime *runtime = core->runtime;
	if (core->backend)
		core->backend->class->free(core->backend);
	queue_unref(core->delivery.queue);
	mem_free(core);
	runtime_unref(runtime);
}

static void store_core_close(struct store_core *core)
{
	runtime_unregister(core->runtime, &core->member);
	core->backend->class->close(core->backend);
	store_core_free(core);
}

static void store_core_close_task(struct task *task)
{
	struct store_core *core = CONTAINER_OF(task, struct store_core, close_task);
	shipopt_runtime *runtime = runtime_ref(core->runtime);
	store_core_close(core);
	runtime_release(runtime);
	runtime_unref(runtime);
}

/* On the back-end's last thread. A worker joins it, so nothing is left when the runtime's close has joined the
 * workers. */
static void store_core_ended(void *argument)
{
	struct store_core *core = argument;
	core->close_task.run = store_core_close_task;
	runtime_submit_task(core->runtime, &core->close_task);
}

/* Called when the last view is gone. */
static void store_core_end(struct store_core *core)
{
	shipopt_runtime *runtime = core->runtime;
	if (runtime_admit(runtime) < 0) {
		store_core_close(core);
		return;
	}
	if (core->backend->class->abandon(core->backend))
		return;
	runtime_ref(runtime);
	store_core_close(core);
	runtime_release(runtime);
	runtime_unref(runtime);
}

static void store_core_cancel(struct runtime_member *member)
{
	struct store_core *core = CONTAINER_OF(member, struct store_core, member);
	core->backend->class->hurry(core->backend);
}

static void store_core_stop(struct runtime_member *member)
{
	struct store_core *core = CONTAINER_OF(member, struct store_core, member);
	core->backend->class->close(core->backend);
}

static int store_core_new(shipopt_runtime *runtime, const char *url, const shipopt_store_config *config,
	const struct settings *settings, struct store_core **ret_core, shipopt_error **ret_error)
{
	struct store_core *core = mem_alloc_zero(sizeof(*core));
	if (!core)
		return SHIPOPT_ENOMEM;
	reference_init(&core->views);
	core->runtime = runtime_ref(runtime);
	core->member.cancel = store_core_cancel;
	core->member.stop = store_core_stop;
	if (config)
		delivery_copy(&core->delivery, &config->delivery, settings, STORE_DELIVER_INLINE);
	struct backend_options options = {
		.runtime = runtime,
		.busy_timeout_ms = settings_number(settings, STORE_BUSY_TIMEOUT_MS),
		.queue_max = settings_number(settings, STORE_QUEUE_MAX),
		.group_max = settings_number(settings, STORE_GROUP_MAX),
		.confirm_mode = settings_text(settings, STORE_CONFIRM_MODE),
		.ended = store_core_ended,
		.argument = core,
	};
	int r = store_url_open(url, &options, &core->backend, ret_error);
	r = r < 0 ? r : runtime_register(runtime, &core->member);
	if (r < 0) {
		store_core_free(core);
		return r;
	}
	*ret_core = core;
	return 0;
}

/* --- views --- */

/* Takes over one reference to the core. */
static int store_view_new(struct store_core *core, const char *tenant, shipopt_store **ret_view)
{
	shipopt_store *store = mem_alloc_zero(sizeof(*store));
	char *copy = mem_copy_text(tenant);
	if (!store || !copy) {
		mem_free(store);
		mem_free(copy);
		if (reference_drop(&core->views))
			store_core_end(core);
		return SHIPOPT_ENOMEM;
	}
	reference_init(&store->reference);
	store->core = core;
	store->tenant = copy;
	*ret_view = store;
	return 0;
}

shipopt_store *store_ref(shipopt_store *store)
{
	reference_take(&store->reference);
	return store;
}

void shipopt_store_free(shipopt_store *store)
{
	if (!store || runtime_is_forked(store->core->runtime) || !reference_drop(&store->reference))
		return;
	struct store_core *core = store->core;
	mem_free(store->tenant);
	mem_free(store);
	if (reference_drop(&core->views))
		store_core_end(core);
}

int shipopt_store_open(shipopt_runtime *runtime, const char *url, const shipopt_store_config *config,
	shipopt_store **ret_store, shipopt_error **ret_error)
{
	if (!runtime || !ret_store)
		return SHIPOPT_EINVAL;
	int r = runtime_check(runtime);
	if (r < 0)
		return r;
	r = config ? delivery_check(&config->delivery, &config->settings, STORE_DELIVER_INLINE, ret_error) : 0;
	if (r < 0)
		return r;
	struct settings settings;
	r = config ? settings_copy(&settings, &config->settings) : settings_init(&settings, &store_settings);
	if (r < 0)
		return r;
	struct store_core *core = NULL;
	shipopt_store *store = NULL;
	url = url ? url : settings_text(&settings, STORE_URL);
	r = store_core_new(runtime, url, config, &settings, &core, ret_error);
	r = r < 0 ? r : store_view_new(core, settings_text(&settings, STORE_TENANT), &store);
	settings_done(&settings);
	if (r == 0)
		*ret_store = store;
	return r;
}

int shipopt_store_view(shipopt_store *store, const char *tenant, shipopt_store **ret_view, shipopt_error **ret_error)
{
	if (!store || !tenant || !ret_view)
		return SHIPOPT_EINVAL;
	int r = runtime_check(store->core->runtime);
	if (r < 0)
		return r;
	size_t length = strlen(tenant), offset = 0;
	if (length < 1 || length > TENANT_MAX_BYTES)
		return error_set(ret_error, SHIPOPT_EINVAL, "argument tenant has %zu bytes, not 1 to %d", length,
			TENANT_MAX_BYTES);
	if (!text_is_utf8(tenant, length, &offset))
		return error_set(ret_error, SHIPOPT_EENCODING, "argument tenant is not UTF-8 at byte %zu", offset);
	reference_take(&store->core->views);
	return store_view_new(store->core, tenant, ret_view);
}

/* --- the ledger --- */

static void store_ledger_run_done(struct task *task)
{
	struct backend_work *work = CONTAINER_OF(task, struct backend_work, task);
	struct ledger_request *request = CONTAINER_OF(work, struct ledger_request, work);
	request->done(request);
}

void ledger_submit(shipopt_store *store, struct ledger_request *request)
{
	struct backend *backend = store->core->backend;
	request->error = NULL;
	request->row = (struct ledger_row){0};
	request->created_row = false;
	request->claimed_token = request->budget_more = request->budget_used = 0;
	request->work.kind = BACKEND_LEDGER;
	int r = ledger_request_check(request, store->tenant, &request->error);
	request->status = 0;
	r = r < 0 ? r : backend->class->submit(backend, &request->work);
	if (r == 0)
		return;
	request->status = r;
	request->work.task.run = store_ledger_run_done;
	if (r == SHIPOPT_ESHUTDOWN)
		request->done(request);
	else
		reactor_post(request->reactor, &request->work.task);
}
