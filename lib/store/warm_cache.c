/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_STORE

#include <shipopt/warm.h>

#include <string.h>

#include "base/memory.h"
#include "cache/options.h"
#include "store/ledger_page.h"
#include "store/store.h"

#define PAGE_ROWS 250

/* Puts ledger rows into a cache, page by page. The calling thread asks the back-end for a page and waits for it. */

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

/* --- reading a page --- */

static bool warm_cache_never_canceled(const struct backend_query *query)
{
	return false;
}

static void warm_cache_page_done(struct backend_query *query)
{
	struct ledger_read *read = CONTAINER_OF(query, struct ledger_read, query);
	pthread_mutex_lock(&read->lock);
	read->is_done = true;
	pthread_cond_signal(&read->changed);
	pthread_mutex_unlock(&read->lock);
}

static int warm_cache_ask(shipopt_store *store, struct ledger_read *read)
{
	struct backend *backend = store->core->backend;
	pthread_mutex_init(&read->lock, NULL);
	pthread_cond_init(&read->changed, NULL);
	int r = backend->class->submit(backend, &read->query.work);
	pthread_mutex_lock(&read->lock);
	while (r == 0 && !read->is_done)
		pthread_cond_wait(&read->changed, &read->lock);
	pthread_mutex_unlock(&read->lock);
	pthread_cond_destroy(&read->changed);
	pthread_mutex_destroy(&read->lock);
	return r < 0 ? r : read->query.status;
}

/* --- filling --- */

static int warm_cache_put_row(struct ledger_filling *filling, const char *key, const char *json, size_t length)
{
	shipopt_cache_options options;
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

static int warm_cache_take_row(struct ledger_filling *filling, const shipopt_ledger_page *page, size_t index)
{
	struct buffer json;
	struct json_writer writer;
	const char *key = shipopt_ledger_page_text(page, index, SHIPOPT_LEDGER_FIELD_ORDER_KEY);
	buffer_init(&json, LEDGER_PAGE_JSON_MAX);
	json_writer_init(&writer, &json);
	ledger_page_write_row(page, index, &writer);
	int r = json_writer_finish(&writer);
	r = r < 0 ? r : warm_cache_put_row(filling, key, buffer_text(&json), json.length);
	buffer_done(&json);
	filling->last_row = shipopt_ledger_page_number(page, index, SHIPOPT_LEDGER_FIELD_ROW);
	return r;
}

static int warm_cache_take_page(struct ledger_filling *filling, shipopt_store *store, int state,
	shipopt_error **ret_error)
{
	struct ledger_read read = {.query = {.work.kind = BACKEND_LIST,
					   .tenant = store->tenant,
					   .state = state,
					   .after = filling->last_row,
					   .limit = PAGE_ROWS,
					   .is_canceled = warm_cache_never_canceled,
					   .done = warm_cache_page_done}};
	int r = warm_cache_ask(store, &read);
	const shipopt_ledger_page *page = read.query.page;
	for (size_t i = 0; r >= 0 && i < shipopt_ledger_page_count(page); i++)
		r = warm_cache_take_row(filling, page, i);
	filling->has_more = shipopt_ledger_page_has_more(page);
	if (ret_error && read.query.error)
		*ret_error = TAKE(read.query.error);
	shipopt_error_unref(read.query.error);
	ledger_page_free(read.query.page);
	return r;
}

static int warm_cache_check(shipopt_store *store, int state, shipopt_cache *cache, shipopt_error **ret_error)
{
	if (!store)
		return SHIPOPT_EINVAL;
	if (state < 0 || state > SHIPOPT_LEDGER_STATE_VOID_REFUSED)
		return error_set(ret_error, SHIPOPT_EINVAL, "argument state: %d is not a state (1 to %d) or 0", state,
			SHIPOPT_LEDGER_STATE_VOID_REFUSED);
	int r = cache_check_handle(cache);
	return r == 0 && runtime_is_library_thread() ? SHIPOPT_EDEADLK : r;
}

int shipopt_store_warm_cache(shipopt_store *store, int state, shipopt_cache *cache,
	const shipopt_cache_options *options, shipopt_warm_row_fn row, void *userdata, uint64_t *ret_stored,
	shipopt_error **ret_error)
{
	int r = warm_cache_check(store, state, cache, ret_error);
	if (r < 0)
		return r;
	shipopt_runtime *runtime = store->core->runtime;
	/* Counts as an operation, so that a close waits for it. */
	r = runtime_admit(runtime);
	if (r < 0)
		return r;
	struct ledger_filling filling = {.cache = cache,
		.options = options,
		.row = row,
		.userdata = userdata,
		.has_more = true};
	while (r >= 0 && filling.has_more)
		r = warm_cache_take_page(&filling, store, state, ret_error);
	runtime_release(runtime);
	if (ret_stored)
		*ret_stored = filling.stored;
	return r < 0 ? r : 0;
}
