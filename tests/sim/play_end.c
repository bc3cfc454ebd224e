/* SPDX-License-Identifier: MIT */
#include "play.h"

#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* The end of a play. */

/* Whoever edited an order whose purchase is open puts it back: nothing else can be bought under its key. */
static void restore_orders(struct play *play)
{
	for (size_t i = 0; i < sim_database.ledger.row_count; i++) {
		const struct memory_row *row = &sim_database.ledger.rows[i];
		const struct auditor_approval *approval = auditor_approval(&play->auditor, row->row.id);
		if (row->row.sent > 0 && row->row.state != LEDGER_STATE_FAILED && approval->is_given)
			play->orders[auditor_index(row->order_key)] = approval->order;
	}
}

/* One process, no faults. Every lease has run out, also those of a clock that was a day ahead. */
static void resume(struct play *play)
{
	struct player *player = &play->players[0];
	sim_world.permille = sim_database.permille = 0;
	player->wall_offset_ms = 0;
	player->wish = (struct auditor_process){0};
	memset(player->generations, 0, sizeof(player->generations));
	clock_advance_us(PLAY_DAY_US + PLAY_DAY_US / 24);
	play->resumed_us = clock_now_us();
	restore_orders(play);
	play_start(play, 0, "bulk.item_timeout_ms=7200000");
	for (int i = 0; i < PLAY_STEPS_MAX && !sim_is_over(&player->sim) && !play->auditor.is_broken; i++) {
		sim_turn(&player->sim, 10000000);
		auditor_look(&play->auditor);
	}
	if (!play->auditor.is_broken)
		play_end_process(play, 0);
}

/* Bought, failed, held, or for a person. What the carrier has said to have postage shows it to a run after the replicas
 * know it; a price that needs review, or is in a currency that nobody wanted, is for a person too. */
static bool is_settled(const struct play *play, const struct memory_row *row, const struct sim_result *result)
{
	const struct world_shipment *shipment = world_find(&sim_world, row->row.shipment_id);
	bool is_hidden = row->row.exists_seen && shipment && shipment->stale_until_us > play->resumed_us;
	switch (row->row.state) {
	case LEDGER_STATE_BOUGHT:
	case LEDGER_STATE_DOCUMENTED:
	case LEDGER_STATE_VOID_REQUESTED:
	case LEDGER_STATE_VOIDED:
	case LEDGER_STATE_VOID_REFUSED:
	case LEDGER_STATE_FAILED:
	case LEDGER_STATE_HELD: return true;
	case LEDGER_STATE_IN_DOUBT:
		return row->row.needs_person || is_hidden || strstr(result->message, "needs review") ||
			strstr(result->message, "the wanted currency");
	default: return false;
	}
}

static bool says_what_it_is(const struct memory_row *row, int status)
{
	switch (row->row.state) {
	case LEDGER_STATE_BOUGHT:
	case LEDGER_STATE_DOCUMENTED: return status >= 0;
	case LEDGER_STATE_VOID_REQUESTED:
	case LEDGER_STATE_VOIDED:
	case LEDGER_STATE_VOID_REFUSED: return status == SHIPOPT_ESTATE;
	case LEDGER_STATE_IN_DOUBT:
		return status == SHIPOPT_EINDOUBT || (status == SHIPOPT_EREFUSED && row->row.needs_person);
	case LEDGER_STATE_HELD: return status == SHIPOPT_EHELD;
	default: return status < 0 && status != SHIPOPT_EINDOUBT;
	}
}

static void check_settled(struct play *play, const char *when)
{
	for (size_t i = 0; i < play->order_count; i++) {
		char key[32];
		snprintf(key, sizeof(key), "o-%zu", i);
		const struct memory_row *row = memory_ledger_find(&sim_database.ledger, key);
		const struct sim_result *result = &play->players[0].sim.results[i];
		if (row && is_settled(play, row, result) && says_what_it_is(row, result->status))
			continue;
		auditor_breach(&play->auditor, row, "%s, %s ends with %s: %s", when, key,
			shipopt_error_name(result->status), result->message);
	}
}

static void count_ends(void)
{
	tally->bought += (int64_t)memory_ledger_count(&sim_database.ledger, LEDGER_STATE_BOUGHT);
	tally->failed += (int64_t)memory_ledger_count(&sim_database.ledger, LEDGER_STATE_FAILED);
	tally->held += (int64_t)memory_ledger_count(&sim_database.ledger, LEDGER_STATE_HELD);
	tally->in_doubt += (int64_t)memory_ledger_count(&sim_database.ledger, LEDGER_STATE_IN_DOUBT);
	tally->surcharges += auditor_surcharges(&tally->surcharged);
	tally->labels += sim_world.labels;
}

/* All effects are over, so that the person is right. */
void play_finish(struct play *play)
{
	resume(play);
	if (play->auditor.is_broken)
		return;
	check_settled(play, "when the faults have stopped");
	count_ends();
	clock_advance_us(PLAY_DAY_US);
	world_catch_up(&sim_world);
	for (size_t i = 0; i < sim_database.ledger.row_count; i++)
		if (play_is_for_person(&sim_database.ledger.rows[i].row))
			play_settle_by_person(play, &sim_database.ledger.rows[i]);
	resume(play);
	if (!play->auditor.is_broken)
		check_settled(play, "when a person has settled the rest");
	if (sim_compare() != 0)
		play->auditor.is_broken = true;
}
