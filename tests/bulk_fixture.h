/* SPDX-License-Identifier: MIT */
#ifndef TESTS_BULK_FIXTURE_H
#define TESTS_BULK_FIXTURE_H

#include <shipopt/shipopt.h>

#include "sandbox_process.h"

/*
 * Everything that a test of bulk runs needs: a sandbox carrier, a runtime, a client, a store in a folder of its own,
 * and orders.
 *
 *	struct bulk_fixture fixture;
 *	fixture_start(&fixture, sandbox_options);           the carrier and the folder
 *	fixture_open(&fixture, settings);                   runtime, client, store, executor
 *	fixture_buy(&fixture, fixture_orders(60, "order"), NULL);
 *	fixture_close(&fixture);                            all but the carrier and the folder; may be opened again
 *	fixture_stop(&fixture);
 *
 * `settings`: "carrier.timeout_ms=500 bulk.max_in_flight=8", words of handle.name=value. Every step asserts.
 */
struct bulk_fixture {
	struct sandbox sandbox;
	char folder[64];
	char store_url[96];
	shipopt_runtime *runtime;
	shipopt_carrier *carrier;
	shipopt_store *store;
	shipopt_bulk *bulk;
	shipopt_carrier_config *carrier_config;
	shipopt_bulk_config *bulk_config;
	shipopt_cache *cache; /* the test's, set before the client is opened; NULL: none */
};

/* What a run's items said. */
struct fixture_result {
	int64_t done, already, failed, in_doubt, held, canceled, requests, elapsed_ms;
	int status;        /* of the run */
	int first_failure; /* status of the first failed item */
	char message[512]; /* and its error */
};

void fixture_start(struct bulk_fixture *fixture, const char *const *sandbox_options);
/* Without bulk_config yet: for tests that set callbacks; then fixture_open_bulk(). */
void fixture_open_handles(struct bulk_fixture *fixture, const char *settings);
void fixture_open_bulk(struct bulk_fixture *fixture);
void fixture_open(struct bulk_fixture *fixture, const char *settings);
void fixture_close(struct bulk_fixture *fixture);
void fixture_stop(struct bulk_fixture *fixture);

/* A domestic order that passes every check; the caller owns it. The weight depends on the number. */
shipopt_order *fixture_order(const char *prefix, size_t number);
/* The same into an order that is there. */
void fixture_fill_order(shipopt_order *order, const char *prefix, size_t number);
/* A source of `count` such orders named "<prefix>-<number>", made one at a time. */
shipopt_source *fixture_orders(size_t count, const char *prefix);
/* The same, but every `every`-th order is named "<planted>-<number>" instead. */
shipopt_source *fixture_orders_planted(size_t count, const char *prefix, const char *planted, size_t every);

typedef int (*fixture_run_fn)(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink, shipopt_done_fn done,
	void *userdata, shipopt_run **ret_run);
/* Runs to the end and collects. Uses the bulk handle's item callback only through the run's statistics. */
void fixture_run(struct bulk_fixture *fixture, fixture_run_fn run, shipopt_source *source,
	struct fixture_result *ret_result);
void fixture_buy(struct bulk_fixture *fixture, shipopt_source *source, struct fixture_result *ret_result);

/* Collects from a run that has ended, and drops it. */
void fixture_collect(shipopt_run *run, struct fixture_result *ret_result);

/* Rows of the ledger in a state (0: all). */
int64_t fixture_ledger_count(struct bulk_fixture *fixture, int state);
/* Rows in doubt that a person has to settle, as the carrier kept failing. */
int64_t fixture_ledger_count_asked(struct bulk_fixture *fixture);
/* The store and the carrier agree: every bought row has exactly one label there, of the same tracking code and price,
 * and every label has its row. Prints what differs; returns the number of differences. */
size_t fixture_compare(struct bulk_fixture *fixture);

#endif
