/* SPDX-License-Identifier: MIT */
#include "play.h"

#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* A person who settles rows, and gives labels back. */

bool play_is_for_person(const struct ledger_row *row)
{
	return row->state == LEDGER_STATE_BUYING || row->state == LEDGER_STATE_IN_DOUBT || row->needs_person;
}

/* Looks at the carrier's own records, and believes what they say now. */
void play_settle_by_person(struct play *play, struct memory_row *row)
{
	const struct world_shipment *shipment = world_find(&sim_world, row->row.shipment_id);
	char tracking_code[32] = "";
	bool is_bought = shipment && shipment->labels > 0;
	if (is_bought)
		snprintf(tracking_code, sizeof(tracking_code), "TRK%06d", shipment->label_number);
	int state = is_bought ? LEDGER_STATE_BOUGHT : LEDGER_STATE_FAILED;
	int r = memory_ledger_resolve(&sim_database.ledger, row->row.id, state, tracking_code, "a person looked");
	if (r < 0)
		return;
	tally->resolved++;
	play_disturb(play);
	auditor_resolved(&play->auditor, row);
	if (play->auditor.is_verbose)
		printf("%10.3f s: a person says that %s is %s\n", (double)clock_now_us() / 1e6, row->order_key,
			is_bought ? "bought" : "not bought");
}

void play_maybe_settle(struct play *play)
{
	struct memory_ledger *ledger = &sim_database.ledger;
	if (!play->has_person || ledger->row_count == 0 || play_draw(play, 100))
		return;
	struct memory_row *row = &ledger->rows[play_draw(play, ledger->row_count)];
	clock_set_wall_offset_ms(0);
	world_catch_up(&sim_world);
	if (play_is_for_person(&row->row))
		play_settle_by_person(play, row);
	else if (row->row.state == LEDGER_STATE_HELD && play_draw(play, 2) &&
		memory_ledger_resolve(ledger, row->row.id, LEDGER_STATE_PLANNED, NULL, "try again") == 0)
		auditor_resolved(&play->auditor, row);
}

/* What follows a label: its document is kept, a refund is asked for, and the carrier says yes or no. */
void play_maybe_void(struct play *play)
{
	static const struct {
		int from;
		enum ledger_operation operation;
		int to;
	} ways[] = {
		{LEDGER_STATE_BOUGHT, LEDGER_OP_DOCUMENT, 0},
		{LEDGER_STATE_BOUGHT, LEDGER_OP_VOID, LEDGER_STATE_VOID_REQUESTED},
		{LEDGER_STATE_DOCUMENTED, LEDGER_OP_VOID, LEDGER_STATE_VOID_REQUESTED},
		{LEDGER_STATE_VOID_REQUESTED, LEDGER_OP_VOID, LEDGER_STATE_VOIDED},
		{LEDGER_STATE_VOID_REQUESTED, LEDGER_OP_VOID, LEDGER_STATE_VOID_REFUSED},
	};
	struct memory_ledger *ledger = &sim_database.ledger;
	if (!play->gives_back || ledger->row_count == 0 || play_draw(play, 150))
		return;
	const struct memory_row *row = &ledger->rows[play_draw(play, ledger->row_count)];
	size_t way = play_draw(play, ARRAY_SIZE(ways));
	if (row->row.state != ways[way].from ||
		memory_ledger_move(ledger, row->row.id, ways[way].operation, ways[way].to) < 0)
		return;
	tally->voids += ways[way].operation == LEDGER_OP_VOID;
	play_disturb(play);
	world_note(&sim_world, (uint64_t)row->row.id << 8 | (uint64_t)row->row.state);
}
