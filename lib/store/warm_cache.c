/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CACHE
#include <shipopt/warm.h>

#include <string.h>

#include "base/memory.h"
#include "cache/options.h"
#include "json/json.h"
#include "runtime/runtime.h"
#include "store/store.h"

#define PAGE_ROWS 250

/* Filling a cache with the rows of the ledger. The calling thread asks the back-end for a page at a time and waits for each. */
struct ledger_read {
	struct backend_query query;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_done;
};

struct ledger_filling {
	shipopt_cache *cache;
	const shipopt_cache_options *options;
	shipopt_warm_row_fn row;
	void *userdata;
	uint64_t stored;
	int64_t last_row;
	bool has_more;
};

static bool warm_cache_never_canceled(const struct backend_query *query)
{
	return false;
}

static void warm_cache_page_done(struct backend_query *query)
{
	struct ledger_read *page = CONTAINER_OF(query, struct ledger_read, query);
	pthread_mutex_lock(&page->lock);
	page->is_done = true;
	pthread_cond_signal(&page->changed);
	pthread_mutex_unlock(&page->lock);
}

static int warm_cache_ask(shipopt_store *store, struct ledger_read *page)
{
	struct backend *backend = store->core->backend;
	pthread_mutex_init(&page->lock, NULL);
	pthread_cond_init(&page->changed, NULL);
	int r = backend->class->submit(backend, &page->query.work);
	pthread_mutex_lock(&page->lock);
	while (r == 0 && !page->is_done)
		pthread_cond_wait(&page->changed, &page->lock);
	pthread_mutex_unlock(&page->lock);
	pthread_cond_destroy(&page->changed);
	pthread_mutex_destroy(&page->lock);
	return r < 0 ? r : page->query.status;
}

static int store_warm_cache_take_row(struct ledger_filling *filling, struct json_value row)
{
	struct json_value id;
	const char *json, *key = json_get_text(row, "order_key");
	size_t length;
	shipopt_cache_options options;
	if (!key || !json_get(row, "row", &id) || !json_i64(id, &filling->last_row) ||
		!json_source(row, &json, &length))
		return SHIPOPT_EPARSE;
	if (filling->options)
		options = *filling->options;
	else
		options_init(&options);
	int r = filling->row ? filling->row(filling->userdata, key, json, length, &options) : 1;
	if (r <= 0)
		return r;
	r = shipopt_cache_put(filling->cache, key, strlen(key), json, length, &options);
	filling->stored += r == 0;
	return r == SHIPOPT_EINVAL || r == SHIPOPT_ETOOLARGE ? 0 : r;
}

static int warm_cache_take_page(struct ledger_filling *filling, const char *json, shipopt_error **ret_error)
{
	CLEANUP_JSON json_document *document = NULL;
	struct json_value rows, more;
	struct json_iterator it;
	int r = json_document_parse(json, strlen(json), &document, ret_error);
	if (r < 0)
		return r;
	if (!json_get(json_root(document), "rows", &rows) || !json_get(json_root(document), "has_more", &more) ||
		!json_bool(more, &filling->has_more))
		return SHIPOPT_EPARSE;
	for (json_items(rows, &it); r >= 0 && json_next(&it);)
		r = store_warm_cache_take_row(filling, it.value);
	return r;
}

static int warm_cache_take_next(struct ledger_filling *filling, shipopt_store *store, int state,
	shipopt_error **ret_error)
{
	struct ledger_read page = {.query = {.work.kind = BACKEND_LIST,
					   .tenant = store->tenant,
					   .state = state,
					   .after = filling->last_row,
					   .limit = PAGE_ROWS,
					   .is_canceled = warm_cache_never_canceled,
					   .done = warm_cache_page_done}};
	filling->has_more = false;
	int r = warm_cache_ask(store, &page);
	if (r >= 0)
		r = warm_cache_take_page(filling, page.query.json, ret_error);
	else if (ret_error && page.query.error)
		*ret_error = TAKE(page.query.error);
	shipopt_error_unref(page.query.error);
	mem_free(page.query.json);
	return r;
}

int shipopt_store_warm_cache(shipopt_store *store, int state, shipopt_cache *cache,
	const shipopt_cache_options *options, shipopt_warm_row_fn row, void *userdata, uint64_t *ret_stored,
	shipopt_error **ret_error)
{
	int r = store ? cache_check_handle(cache) : SHIPOPT_EINVAL;
	if (r < 0)
		return r;
	if (state < 0 || state > SHIPOPT_LEDGER_STATE_VOID_REFUSED)
		return error_set(ret_error, SHIPOPT_EINVAL, "store: state %d is not a ledger state, 0 to %d", state,
			SHIPOPT_LEDGER_STATE_VOID_REFUSED);
	if (runtime_is_library_thread())
		return error_set(ret_error, SHIPOPT_EDEADLK,
			"store: cannot block here: called on a library thread or inside shipopt_queue_dispatch()");
	shipopt_runtime *runtime = store->core->runtime;
	/* Counted as an operation, so that a close waits for it. */
	r = runtime_admit(runtime);
	if (r < 0)
		return r;
	struct ledger_filling filling = {.cache = cache,
		.options = options,
		.row = row,
		.userdata = userdata,
		.has_more = true};
	shipopt_error *error = NULL;
	while (r >= 0 && filling.has_more)
		r = warm_cache_take_next(&filling, store, state, &error);
	runtime_release(runtime);
	if (ret_stored)
		*ret_stored = filling.stored;
	if (r >= 0)
		return 0;
	if (ret_error)
		*ret_error = error ? error : error_of(ERROR_DOMAIN, r);
	else
		shipopt_error_unref(error);
	return r;
}
