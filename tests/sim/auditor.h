/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SIM_AUDITOR_H
#define TESTS_SIM_AUDITOR_H

#include "sim.h"

/*
 * What must hold at every step of simulated runs, whatever goes wrong. The auditor knows the world's truth and what
 * each process was asked for; the library under test knows neither.
 *
 *   - a generation of a key has at most one label, also one that is still to come: every shipment with a label, or with
 *     a purchase under way, is the shipment of the one row that sent it, and that row is buying, in doubt, created with
 *     something unproven, or bought
 *   - a row fails only when nothing was bought and nothing will be
 *   - a purchase is sent only by a run that buys, once for each `buying`, for the content that the shipment was made
 *     for, with the same insurance each time; there are three of a shipment at most (a person's "not bought" leaves
 *     one)
 *   - its price is within what was approved first: the order's max_rate, or the first price and ceiling_percent.
 *     Another max_rate, other content, or a run with rate_again while nothing is unproven, is a new approval
 *   - reserved and spent stay within the limit at each reservation; afterwards they grow by what the carrier charges
 *     above the rate alone, which is counted. What the budget says is the sum of its rows; an open row keeps its
 *     reservation
 *   - each order of a run that ends is reported once, and what may be bought never as what was not
 *
 * A breach is printed with the seed and the step, and the auditor is broken from then on.
 */
#define AUDITOR_ORDERS_MAX 8
#define AUDITOR_ROWS_MAX 64 /* of all generations */
#define AUDITOR_SENDS_MAX 3

/* An order as one process has it. */
struct auditor_order {
	int content;      /* odd: insured */
	int64_t max_rate; /* 0: none */
};

/* What a process was asked for. */
struct auditor_process {
	bool is_rate_only, rates_again;
	int64_t ceiling_percent, spend_limit;
	struct auditor_order orders[AUDITOR_ORDERS_MAX];
};

struct auditor_approval {
	bool is_given;
	struct auditor_order order;
	int64_t ceiling;
	const char *currency;
};

struct auditor_shipment {
	int written, sends; /* `buying`, and what reached the carrier */
	int counted;        /* `buying` since the row got it, or since a person's word, which leaves one */
	int content;
	int64_t insurance;
};

struct auditor {
	uint64_t seed, step;
	bool is_broken, has_wrong_clocks, is_verbose;
	const struct auditor_process *process;               /* whose turn it is */
	struct auditor_approval approvals[AUDITOR_ROWS_MAX]; /* by row */
	struct auditor_shipment *shipments;
	size_t shipment_capacity;
	int64_t committed; /* reserved and spent, after the newest operation */
	uint64_t trace;    /* of the world, when it was last looked at */
	int64_t sends;
};

/* Takes over the world's `on_buy` and the database's `observe`. One at a time. */
void auditor_begin(struct auditor *auditor, uint64_t seed);
void auditor_end(struct auditor *auditor);
/* Prints what was breached, and what the row (NULL: none) and its shipment are. The first one alone. */
__attribute__((format(printf, 3, 4))) void auditor_breach(struct auditor *auditor, const struct memory_row *row,
	const char *format, ...);
/* After each turn of a process. */
void auditor_look(struct auditor *auditor);
/* A run has ended: its results. `was_alone`: nobody else has touched the rows since it began. */
void auditor_results(struct auditor *auditor, const struct sim_process *process, size_t orders, bool was_alone);
/* A person said that nothing was bought, or that the order is to be planned again. */
void auditor_resolved(struct auditor *auditor, const struct memory_row *row);
/* What was approved for a row. */
struct auditor_approval *auditor_approval(struct auditor *auditor, int64_t row);
/* "o-3" is 3. */
size_t auditor_index(const char *order_key);
/* What was charged above the rates of the labels that were bought: how many, and how much. */
int64_t auditor_surcharges(int64_t *ret_amount);

#endif
