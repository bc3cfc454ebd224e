/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SIM_PLAY_H
#define TESTS_SIM_PLAY_H

#include "auditor.h"

/*
 * A play: simulated processes that buy the same orders, drawn from a seed.
 *
 * Everything may go wrong at once: an adverse carrier (world.h), a database that fails, up to three processes that
 * crash, stand still and take each other's leases, wall clocks that are wrong, orders that are edited between runs,
 * settings that change, rate runs in between, stored rates that are replaced, further generations of an order, labels
 * that are given back, and a person who settles rows and is right only at that moment. After each step the auditor
 * (auditor.h) looks at what must hold.
 *
 * Every fourth seed has a carrier without a guard: nothing but the ledger keeps a second purchase from buying a second
 * label. There, clocks are right, replicas know what was bought, and no effect is later than the settle time of its
 * purchase.
 *
 * Files: play.c (a step after the other), play_process.c (what a process is started with), play_person.c (a person, and
 * the labels that are given back), play_end.c (the faults stop: each order must come to an end), test_adversary.c
 * (seeds).
 */
#define PLAY_PROCESSES 3
#define PLAY_STEPS_MAX 2000000
#define PLAY_DAY_US INT64_C(86400000000)

struct player {
	struct sim_process sim;
	struct auditor_process wish;
	bool is_running, is_alone;
	int64_t paused_until_us, wall_offset_ms, settle_ms;
	int64_t generations[AUDITOR_ORDERS_MAX]; /* 0: the newest */
};

struct play {
	struct player players[PLAY_PROCESSES];
	struct auditor auditor;
	struct random random;
	struct auditor_order orders[AUDITOR_ORDERS_MAX];
	size_t order_count;
	int starts_left, crashes_left;
	int64_t resumed_us;
	bool is_adverse, has_person, gives_back;
};

/* What children report. */
struct tally {
	uint64_t seed; /* being played */
	uint64_t trace;
	int64_t breaches, purchases, items, labels, crashes, starts, resolved, voids, generations, bought, failed, held,
		in_doubt, surcharges, surcharged;
	int64_t faults[FAULT_COUNT];
};

extern struct tally *tally;

/* Plays a seed to its end. False if something was breached. */
bool play_seed(uint64_t seed, bool is_verbose);

/* ---- between the files of a play ---- */
uint64_t play_draw(struct play *play, uint64_t below);
void play_say(const struct play *play, size_t which, const char *what);
/* Something happened that the running processes did not do. */
void play_disturb(struct play *play);
/* From here on it is this process that does things. */
void play_switch_to(struct play *play, struct player *player);
void play_start(struct play *play, size_t which, const char *settings);
void play_start_drawn(struct play *play, size_t which);
void play_end_process(struct play *play, size_t which);
void play_crash(struct play *play, size_t which);
bool play_is_for_person(const struct ledger_row *row);
void play_settle_by_person(struct play *play, struct memory_row *row);
/* Now and then. */
void play_maybe_settle(struct play *play);
void play_maybe_void(struct play *play);
/* The faults stop: one run ends what is not for a person, the person settles the rest, and one more run ends
 * everything. */
void play_finish(struct play *play);

#endif
