/* SPDX-License-Identifier: MIT */
#include "play.h"

#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* What a process is started with, and how it ends. */

static void draw_settings(struct play *play, struct player *player, char *text, size_t size)
{
	static const int64_t timeouts_ms[] = {2000, 10000, 60000}, settles[] = {12, 15, 30, 100}, leases[] = {2, 3, 8},
			     items_ms[] = {5000, 90000, 600000, 3600000}, ceilings[] = {0, 0, 10, 50},
			     limits[] = {0, 0, 12, 40};
	int64_t timeout_ms = timeouts_ms[play_draw(play, ARRAY_SIZE(timeouts_ms))];
	int64_t settle_ms = timeout_ms * settles[play_draw(play, ARRAY_SIZE(settles))] / 10;
	int64_t lease_ms = timeout_ms * leases[play_draw(play, ARRAY_SIZE(leases))];
	int64_t item_ms = items_ms[play_draw(play, ARRAY_SIZE(items_ms))];
	player->wish.is_rate_only = play_draw(play, 6) == 0;
	player->wish.rates_again = play_draw(play, 6) == 0;
	player->wish.ceiling_percent = ceilings[play_draw(play, ARRAY_SIZE(ceilings))];
	player->wish.spend_limit = limits[play_draw(play, ARRAY_SIZE(limits))] * 1000000;
	player->settle_ms = settle_ms;
	snprintf(text, size,
		"carrier.breaker_window=10 carrier.timeout_ms=%lld carrier.settle_ms=%lld bulk.lease_ms=%lld bulk.item_timeout_ms=%lld "
		"bulk.ceiling_percent=%lld bulk.spend_limit=%lld.00 bulk.max_in_flight=%d bulk.rate_again=%d",
		(long long)timeout_ms, (long long)settle_ms, (long long)lease_ms, (long long)item_ms,
		(long long)player->wish.ceiling_percent, (long long)player->wish.spend_limit / 1000000,
		1 << play_draw(play, 4), player->wish.rates_again);
}

static void draw_edits(struct play *play)
{
	static const int64_t rates[] = {0, 5300000, 5600000, 7000000, 30000000};
	for (size_t i = 0; i < play->order_count; i++) {
		if (play_draw(play, 10) == 0)
			play->orders[i].content = (int)play_draw(play, 3);
		if (play_draw(play, 8) == 0)
			play->orders[i].max_rate = rates[play_draw(play, ARRAY_SIZE(rates))];
	}
}

static int64_t draw_wall_offset_ms(struct play *play)
{
	static const int64_t offsets_ms[] = {-315360000000, -3600000, -90000, 90000, 7200000, 315360000000};
	return play->auditor.has_wrong_clocks && play_draw(play, 3) == 0
		? offsets_ms[play_draw(play, ARRAY_SIZE(offsets_ms))]
		: 0;
}

void play_start(struct play *play, size_t which, const char *settings)
{
	struct player *player = &play->players[which];
	shipopt_order *orders[AUDITOR_ORDERS_MAX];
	char key[32];
	play_switch_to(play, player);
	memcpy(player->wish.orders, play->orders, sizeof(play->orders));
	sim_run = player->wish.is_rate_only ? shipopt_bulk_rate : shipopt_bulk_buy;
	sim_open(&player->sim, settings);
	for (size_t i = 0; i < play->order_count; i++) {
		snprintf(key, sizeof(key), "o-%zu", i);
		orders[i] = sim_order(key, 1 + play->orders[i].content);
		assert_int_equal(shipopt_order_set_max_rate(orders[i], play->orders[i].max_rate, NULL), 0);
		assert_int_equal(shipopt_order_set_generation(orders[i], player->generations[i], NULL), 0);
		if (play->orders[i].content % 2)
			sim_insure(orders[i], 50000000);
	}
	assert_int_equal(sim_start(&player->sim, orders, play->order_count), 0);
	play_disturb(play);
	player->is_alone = true;
	for (size_t i = 0; i < PLAY_PROCESSES; i++)
		player->is_alone = player->is_alone && !play->players[i].is_running;
	player->is_running = true;
	player->paused_until_us = 0;
	tally->starts++;
	play_say(play, which, settings);
}

/* Another label for an order: allowed only where the newest row is over. */
static void draw_generations(struct play *play, struct player *player)
{
	char key[32];
	for (size_t i = 0; i < play->order_count; i++) {
		snprintf(key, sizeof(key), "o-%zu", i);
		const struct memory_row *newest = memory_ledger_find(&sim_database.ledger, key);
		player->generations[i] = newest && play_draw(play, 12) == 0 ? newest->generation + 1 : 0;
		tally->generations += player->generations[i] > 0;
	}
}

void play_start_drawn(struct play *play, size_t which)
{
	char settings[512];
	play->players[which].wall_offset_ms = draw_wall_offset_ms(play);
	draw_edits(play);
	draw_generations(play, &play->players[which]);
	draw_settings(play, &play->players[which], settings, sizeof(settings));
	play_start(play, which, settings);
	if (play->players[which].wish.is_rate_only)
		play_say(play, which, "only rates");
}

void play_end_process(struct play *play, size_t which)
{
	struct player *player = &play->players[which];
	sim_finish(&player->sim);
	auditor_results(&play->auditor, &player->sim, play->order_count, player->is_alone);
	for (size_t i = 0; i < play->order_count && play->auditor.is_verbose; i++)
		printf("    o-%zu %s: %s\n", i, shipopt_error_name(player->sim.results[i].status),
			player->sim.results[i].message);
	tally->items += (int64_t)player->sim.items;
	sim_close(&player->sim);
	player->is_running = false;
	play_say(play, which, "is done");
}

void play_crash(struct play *play, size_t which)
{
	play_say(play, which, "crashes");
	sim_crash(&play->players[which].sim);
	play->players[which].is_running = false;
	play->crashes_left--;
	tally->crashes++;
}
