/* SPDX-License-Identifier: MIT */

/*
 * cached_lookup: ask PostgreSQL once, answer from memory a hundred thousand times.
 *
 *	$ SHIPOPT_POOL_CONNINFO=postgresql://localhost/shop cached_lookup 99501 10018 nowhere
 *	99501: zone 8
 *	10018: zone 2
 *	nowhere: no zone
 *	400000 lookups by 4 threads, 3 queries
 *
 * A cache with a loader. The first caller for an absent key loads it; other callers for the same key wait for that load
 * (single flight). The cache also keeps that a key does not exist, for a shorter time. The loader runs a query on a
 * connection pool. Values are parameters, never part of the query's text.
 */
#include <pthread.h>
#include <shipopt/shipopt.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define THREADS 4
#define LOOKUPS 100000

struct lookup {
	shipopt_cache *cache;
	shipopt_pool *pool;
	char **zips;
	size_t zip_count;
	atomic_int queries, status;
};

/* Runs on the thread of the first caller. Completes the load, or returns why it failed. */
static int load_zone(void *userdata, shipopt_load *load)
{
	struct lookup *lookup = userdata;
	shipopt_query *query = NULL;
	shipopt_op *op = NULL;
	/* A list of values in place of a table. */
	int r = shipopt_query_new(
		"select zone from (values ('99501', '8'), ('10018', '2')) as zones(zip, zone) where zip = $1", &query,
		NULL);
	if (r == 0)
		r = shipopt_query_bind_text(query, shipopt_load_key(load));
	if (r == 0)
		r = shipopt_query_set_read_only(query, 1); /* so a lost answer leaves nothing in doubt */
	if (r == 0)
		r = shipopt_pool_query(lookup->pool, query, NULL, NULL, &op);
	if (r == 0)
		r = shipopt_op_wait(op, -1);
	atomic_fetch_add(&lookup->queries, 1);
	const shipopt_rows *rows = r == 0 ? shipopt_op_rows(op) : NULL;
	if (rows && shipopt_rows_count(rows) > 0)
		r = shipopt_load_complete(load, shipopt_rows_text(rows, 0, 0), shipopt_rows_length(rows, 0, 0), NULL);
	else if (rows)
		r = shipopt_load_not_found(load, NULL);
	else if (op && shipopt_op_error(op))
		fprintf(stderr, "cached_lookup: %s\n", shipopt_error_text(shipopt_op_error(op)));
	shipopt_op_unref(op);
	shipopt_query_free(query);
	return rows ? 0 : r; /* a completed load must return 0 */
}

/* The key includes its NUL, so the loader has a C string. */
static int find(struct lookup *lookup, const char *zip, shipopt_value **ret_value)
{
	return shipopt_cache_get_or_load(lookup->cache, zip, strlen(zip) + 1, load_zone, lookup, NULL, ret_value, NULL);
}

static void *ask_often(void *userdata)
{
	struct lookup *lookup = userdata;
	for (size_t i = 0; i < LOOKUPS; i++) {
		shipopt_value *value = NULL;
		int r = find(lookup, lookup->zips[i % lookup->zip_count], &value);
		if (r < 0) {
			atomic_store(&lookup->status, r);
			return NULL;
		}
		shipopt_value_unref(value); /* NULL if the zip does not exist */
	}
	return NULL;
}

static int run(struct lookup *lookup)
{
	pthread_t threads[THREADS];
	int started = 0;
	while (started < THREADS && pthread_create(&threads[started], NULL, ask_often, lookup) == 0)
		started++;
	for (int i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < lookup->zip_count && atomic_load(&lookup->status) == 0; i++) {
		shipopt_value *value = NULL;
		int r = find(lookup, lookup->zips[i], &value);
		if (r == SHIPOPT_CACHE_FOUND)
			printf("%s: zone %.*s\n", lookup->zips[i], (int)shipopt_value_length(value),
				(const char *)shipopt_value_data(value));
		else if (r == SHIPOPT_CACHE_NOT_FOUND)
			printf("%s: no zone\n", lookup->zips[i]);
		shipopt_value_unref(value);
	}
	printf("%d lookups by %d threads, %d queries\n", started * LOOKUPS, started, atomic_load(&lookup->queries));
	return atomic_load(&lookup->status);
}

int main(int argc, char **argv)
{
	struct lookup lookup = {.zips = argv + 1, .zip_count = (size_t)argc - 1};
	shipopt_runtime *runtime = NULL;
	shipopt_pool_config *config = NULL;
	shipopt_error *error = NULL;
	if (argc < 2) {
		fprintf(stderr, "cached_lookup ZIP...\n");
		return 2;
	}
	int r = shipopt_runtime_new(NULL, &runtime, &error);
	if (r >= 0)
		r = shipopt_pool_config_new(&config);
	if (r >= 0)
		r = shipopt_pool_config_from_env(config); /* SHIPOPT_POOL_CONNINFO, SHIPOPT_POOL_MAX, … */
	if (r >= 0)
		r = shipopt_pool_new(runtime, config, &lookup.pool, &error);
	if (r >= 0)
		r = shipopt_cache_new(NULL, &lookup.cache, &error); /* 10,000 entries, 60 s */
	if (r >= 0)
		r = run(&lookup);
	if (r < 0)
		fprintf(stderr, "cached_lookup: %s\n",
			error ? shipopt_error_text(error) : shipopt_error_description(r));
	shipopt_error_unref(error);
	shipopt_cache_free(lookup.cache);
	shipopt_pool_free(lookup.pool);
	shipopt_pool_config_free(config);
	shipopt_runtime_close(runtime, -1);
	shipopt_runtime_free(runtime);
	return r < 0;
}
