/* SPDX-License-Identifier: MIT */
#include "play.h"

#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* One step after the other. */

uint64_t play_draw(struct play *play, uint64_t below)
{
	return random_below(&play->random, below);
}

void play_say(const struct play *play, size_t which, const char *what)
{
	if (play->auditor.is_verbose)
		printf("%10.3f s: process %zu %s\n", (double)clock_now_us() / 1e6, which, what);
}

void play_disturb(struct play *play)
{
	for (size_t i = 0; i < PLAY_PROCESSES; i++)
		play->players[i].is_alone = false;
}

/* From here on it is this process that does things. Without a guard no effect of its purchases is later than its settle
 * time, less the sixth of it in which they are sent. */
void play_switch_to(struct play *play, struct player *player)
{
	clock_set_wall_offset_ms(player->wall_offset_ms);
	play->auditor.process = &player->wish;
	if (!sim_world.guard)
		sim_world.late_max_us = player->settle_ms * 800;
}

/* What a scheduler, a debugger, a full disk do to a process: it stands still while the others go on. */
static bool stands_still(struct play *play, struct player *player)
{
	int64_t now_us = clock_now_us(), next_us = player->paused_until_us;
	if (now_us >= player->paused_until_us) {
		if (play_draw(play, 400) == 0)
			player->paused_until_us = now_us + (int64_t)play_draw(play, 400000000);
		return false;
	}
	/* Where nobody else runs, time passes by. */
	for (size_t i = 0; i < PLAY_PROCESSES; i++) {
		if (play->players[i].is_running && now_us >= play->players[i].paused_until_us)
			return true;
		if (play->players[i].is_running)
			next_us = MIN(next_us, play->players[i].paused_until_us);
	}
	clock_advance_us(next_us - now_us);
	return true;
}

static void step(struct play *play, size_t which)
{
	static const int64_t max_us[] = {0, 1000, 20000, 1000000};
	struct player *player = &play->players[which];
	play_maybe_settle(play);
	play_maybe_void(play);
	if (!player->is_running) {
		if (play->starts_left > 0 && play_draw(play, 60) == 0) {
			play->starts_left--;
			play_start_drawn(play, which);
		}
		return;
	}
	if (stands_still(play, player))
		return;
	play_switch_to(play, player);
	sim_turn(&player->sim, max_us[play_draw(play, ARRAY_SIZE(max_us))]);
	auditor_look(&play->auditor);
	if (play->crashes_left > 0 && play_draw(play, 150) == 0)
		play_crash(play, which);
	else if (sim_is_over(&player->sim))
		play_end_process(play, which);
}

static bool is_anybody_running(const struct play *play)
{
	bool is_running = play->starts_left > 0;
	for (size_t i = 0; i < PLAY_PROCESSES; i++)
		is_running = is_running || play->players[i].is_running;
	return is_running;
}

static void trouble(struct play *play)
{
	for (int i = 0; i < PLAY_STEPS_MAX && !play->auditor.is_broken; i++) {
		if (!is_anybody_running(play))
			return;
		step(play, play_draw(play, PLAY_PROCESSES));
	}
	if (!play->auditor.is_broken)
		printf("seed %llu: the processes do not end\n", (unsigned long long)play->auditor.seed);
	play->auditor.is_broken = true;
}

/* ---- a seed ----------------------------------------------------------------------------------------------- */

static void prepare(struct play *play, uint64_t seed)
{
	random_init(&play->random, seed * 7919 + 1);
	play->is_adverse = seed % 8 != 0;
	sim_world.is_adverse = play->is_adverse;
	sim_world.guard = seed % 4 != 1;
	sim_world.permille = (unsigned)play_draw(play, play_draw(play, 2) ? 200 : 800);
	sim_world.rerates_no_label = sim_world.guard;
	sim_world.rerate_step = 0;
	sim_world.sells_old_rates = play_draw(play, 2);
	sim_world.late_max_us = 1000000 + (int64_t)play_draw(play, 1500000000);
	sim_database.permille = (unsigned)play_draw(play, 20);
	play->auditor.has_wrong_clocks = sim_world.guard && play_draw(play, 3) == 0;
	play->has_person = play_draw(play, 2);
	play->gives_back = play_draw(play, 3) == 0;
	play->order_count = 1 + play_draw(play, 6);
	play->starts_left = 1 + (int)play_draw(play, 6);
	play->crashes_left = (int)play_draw(play, 5);
}

bool play_seed(uint64_t seed, bool is_verbose)
{
	struct play play = {0};
	sim_begin(seed);
	auditor_begin(&play.auditor, seed);
	play.auditor.is_verbose = is_verbose;
	prepare(&play, seed);
	trouble(&play);
	if (!play.auditor.is_broken)
		play_finish(&play);
	tally->trace = sim_world.trace;
	tally->purchases += play.auditor.sends;
	for (size_t i = 0; i < FAULT_COUNT; i++)
		tally->faults[i] += sim_world.faults[i];
	auditor_end(&play.auditor);
	sim_end();
	if (play.auditor.is_broken || sim_world.strangers)
		printf("seed %llu failed: SHIPOPT_SEED=%llu plays it again\n", (unsigned long long)seed,
			(unsigned long long)seed);
	return !play.auditor.is_broken && !sim_world.strangers;
}
