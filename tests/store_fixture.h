/* SPDX-License-Identifier: MIT */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include "store/ledger.h"

/*
 * A store in a folder of its own, and ledger requests that wait for their answer.
 *
 * The folder is made under $TMPDIR or /tmp and removed with all that is in it. Requests run on a reactor of the runtime
 * while the test's thread waits on a condition.
 */
struct store_fixture {
	char folder[128], path[160], url[192];
	shipopt_runtime *runtime;
	shipopt_store *store;
	struct reactor *reactor;
};

void folder_make(char *folder, size_t size);
void folder_remove(const char *folder);

/* `config` may be NULL. Opens without waiting. */
void store_fixture_init(struct store_fixture *fixture, const shipopt_store_config *config);
/* Frees the store and opens another one at the same place. The first may still be closing its file. */
void store_fixture_reopen(struct store_fixture *fixture);
void store_fixture_done(struct store_fixture *fixture);

/* The key of order `order_key`, piece 1, generation 1, outbound. */
struct ledger_key fixture_key(const char *order_key);
/* The shipment that an order's creations get: "shp_1" for "a", else "shp_" and the key. */
const char *fixture_shipment(const char *order_key);
/* A request for it. */
struct ledger_request fixture_request(enum ledger_operation operation, const char *order_key, int64_t token);
/* Submits to `store` and waits; returns the status. */
int fixture_run(struct store_fixture *fixture, shipopt_store *store, struct ledger_request *request);
/* Frees what the answer brought. */
void fixture_forget(struct ledger_request *request);

#endif
