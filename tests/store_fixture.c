/* SPDX-License-Identifier: MIT */
#include "store_fixture.h"

#include <string.h>

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmocka_test.h"
#include "runtime/runtime.h"

void folder_make(char *folder, size_t size)
{
	const char *parent = getenv("TMPDIR");
	snprintf(folder, size, "%s/shipopt-test-XXXXXX", parent ? parent : "/tmp");
	assert_non_null(mkdtemp(folder));
}

void folder_remove(const char *folder)
{
	DIR *directory = opendir(folder);
	struct dirent *entry;
	char path[512];
	while (directory && (entry = readdir(directory))) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		unlink(path);
	}
	closedir(directory);
	assert_int_equal(rmdir(folder), 0);
}

void store_fixture_init(struct store_fixture *fixture, const shipopt_store_config *config)
{
	*fixture = (struct store_fixture){0};
	folder_make(fixture->folder, sizeof(fixture->folder));
	snprintf(fixture->path, sizeof(fixture->path), "%s/ship.db", fixture->folder);
	snprintf(fixture->url, sizeof(fixture->url), "sqlite:%s", fixture->path);
	assert_int_equal(shipopt_runtime_new(NULL, &fixture->runtime, NULL), 0);
	assert_int_equal(runtime_reactor(fixture->runtime, &fixture->reactor), 0);
	assert_int_equal(shipopt_store_open(fixture->runtime, fixture->url, config, &fixture->store, NULL), 0);
}

void store_fixture_reopen(struct store_fixture *fixture)
{
	shipopt_store_free(fixture->store);
	assert_int_equal(shipopt_store_open(fixture->runtime, fixture->url, NULL, &fixture->store, NULL), 0);
}

void store_fixture_done(struct store_fixture *fixture)
{
	shipopt_store_free(fixture->store);
	assert_int_equal(shipopt_runtime_close(fixture->runtime, -1), 0);
	shipopt_runtime_free(fixture->runtime);
	folder_remove(fixture->folder);
}

struct ledger_key fixture_key(const char *order_key)
{
	return (struct ledger_key){.provider = "easypost",
		.account = "default",
		.mode = "test",
		.order_key = order_key,
		.piece = 1,
		.purpose = "outbound",
		.generation = 1};
}

const char *fixture_shipment(const char *order_key)
{
	static char names[1024][80];
	static size_t used;
	if (strcmp(order_key, "a") == 0)
		return "shp_1";
	char *name = names[used++ % ARRAY_SIZE(names)];
	snprintf(name, sizeof(names[0]), "shp_%.70s", order_key);
	return name;
}

struct ledger_request fixture_request(enum ledger_operation operation, const char *order_key, int64_t token)
{
	struct ledger_request request = {.operation = operation,
		.key = fixture_key(order_key),
		.token = token,
		.owner = "test"};
	if (operation == LEDGER_OP_CLAIM || operation == LEDGER_OP_RENEW)
		request.lease_ms = 60000;
	if (operation == LEDGER_OP_CLAIM || operation == LEDGER_OP_PLAN) {
		request.fingerprint = "f1";
		request.request = "{\"to\":1}";
	}
	if (operation == LEDGER_OP_CREATE)
		request.shipment_id = fixture_shipment(order_key);
	return request;
}

/* --- waiting --- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
} waiting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER};

struct waited_request {
	struct ledger_request request;
	bool is_done;
};

static void waited_done(struct ledger_request *request)
{
	struct waited_request *waited = CONTAINER_OF(request, struct waited_request, request);
	pthread_mutex_lock(&waiting.lock);
	waited->is_done = true;
	pthread_cond_broadcast(&waiting.changed);
	pthread_mutex_unlock(&waiting.lock);
}

int fixture_run(struct store_fixture *fixture, shipopt_store *store, struct ledger_request *request)
{
	struct waited_request waited = {.request = *request};
	waited.request.reactor = fixture->reactor;
	waited.request.done = waited_done;
	ledger_submit(store, &waited.request);
	pthread_mutex_lock(&waiting.lock);
	while (!waited.is_done)
		pthread_cond_wait(&waiting.changed, &waiting.lock);
	pthread_mutex_unlock(&waiting.lock);
	*request = waited.request;
	return request->status;
}

void fixture_forget(struct ledger_request *request)
{
	ledger_request_clear(request);
}
