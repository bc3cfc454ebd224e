/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <shipopt/shipopt.h>

#include "fake_http.h"
#include "memory_backend.h"
#include "runtime/runtime.h"

/*
 * Simulated processes: each a runtime, a carrier client, a store and a bulk executor over the world and the database of
 * the program, in virtual time on one thread. Nothing here has a thread, a descriptor or real randomness: the
 * random numbers of the system come from the seed too (RAND_bytes is replaced), so that a seed is a trace.
 *
 *	sim_begin(seed);                     world, database, virtual clock
 *	sim_open(&process, settings);        "carrier.timeout_ms=500 bulk.lease_ms=3000"
 *	sim_start(&process, orders, count);  or sim_buy(): starts and turns until it is over
 *	sim_close(&process);                 or sim_crash(&process): it is never turned again
 *	sim_end();
 */
#define SIM_ITEMS_MAX 64

struct sim_result {
	int times; /* reported; 1 in the end */
	int status;
	int64_t attempts, amount;
	char message[256];
	bool has_tracking_code;
};

struct sim_process {
	shipopt_runtime *runtime;
	shipopt_carrier *carrier;
	shipopt_store *store;
	shipopt_bulk *bulk;
	shipopt_bulk_config *bulk_config;
	shipopt_carrier_config *carrier_config;
	shipopt_run *run;
	int run_status;
	size_t items;
	struct sim_result results[SIM_ITEMS_MAX]; /* by index */
};

typedef int (*sim_run_fn)(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink, shipopt_done_fn done,
	void *userdata, shipopt_run **ret_run);

/* What the next runs do, shipopt_bulk_buy() after sim_begin(); and what else is to be configured before handles are
 * made. */
extern sim_run_fn sim_run;
extern void (*sim_configure)(struct sim_process *process);

extern struct world sim_world;
extern struct memory_database sim_database;

void sim_begin(uint64_t seed);
void sim_end(void);
/* 0 or the first error; what was made until then is there and sim_close() takes it. */
int sim_try_open(struct sim_process *process, const char *settings);
void sim_open(struct sim_process *process, const char *settings);
void sim_close(struct sim_process *process);
/* Forgets it. What it holds is lost, as in a crash; its requests go on in the world. */
void sim_crash(struct sim_process *process);

/* A domestic order of that name; NULL when out of memory. `weight` sets its content apart. */
shipopt_order *sim_order(const char *key, int weight);
/* Its contents are insured for this, in millionths. */
void sim_insure(shipopt_order *order, int64_t value);
/* Starts a run; takes the orders over. */
int sim_start(struct sim_process *process, shipopt_order **orders, size_t count);
/* To its end; returns the run's status. */
int sim_wait(struct sim_process *process);
/* Orders "o-0" to "o-(count-1)". */
void sim_start_orders(struct sim_process *process, size_t count);
int sim_buy(struct sim_process *process, size_t count);
/* One turn of its reactor, moving the clock by at most `max_us`. */
void sim_turn(struct sim_process *process, int64_t max_us);
bool sim_is_over(struct sim_process *process);
/* Takes the run's status and forgets the run. */
int sim_finish(struct sim_process *process);

/* The row that has the shipment of this number; NULL: none. */
const struct memory_row *sim_row_of(size_t shipment);
/* The world's `on_buy`: writes down whose row buys the shipment. */
void sim_note_buyer(struct world *world, const struct world_purchase *purchase);
/* Compares the ledger with the world, label by label and price by price; prints what differs and returns how much. An
 * hour later, so that late effects count too. */
size_t sim_compare(void);

#endif
