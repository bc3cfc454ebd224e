/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "auditor.h"

/*
 * Everything that may go wrong at once, drawn from a seed: an adverse carrier (world.h), a database that fails, up to three
 * processes that crash, stand still and take each other's leases, wall clocks that are wrong, orders that are edited between
 * runs, settings that change, rate runs in between, and a person who settles rows and is right only at that moment.
 *
 * After each step the auditor (auditor.h) looks at what must hold. Then the faults stop: one run ends what is not for a person,
 * the person settles the rest, and one more run ends everything. Each order is then bought, failed with proof, held or in doubt
 * for a person, and ledger and carrier agree to the cent.
 *
 * Every fourth seed has a carrier without a guard: nothing but the ledger keeps a second purchase from buying a second label.
 * There, clocks are right, replicas know what was bought, and no effect is later than the settle time of its purchase.
 *
 * A purchase is a POST /shipments/…/buy that reached the carrier.
 *
 *	SHIPOPT_SEED=17          plays one seed, and says what happens
 *	SHIPOPT_PURCHASES=200000 another number of purchases
 *	SHIPOPT_LONG=1           a million
 */
#define PURCHASES_SHORT 50000
#define PURCHASES_LONG 1000000
#define BATCH 100 /* seeds in one child: what crashed processes held is lost with it */
#define STEPS_MAX 2000000
#define PROCESSES 3
#define BREACHES_MAX 5
#define DAY_US INT64_C(86400000000)

struct player {
	struct sim_process sim;
	struct auditor_process wish;
	bool is_running, is_alone;
	int64_t paused_until_us, wall_offset_ms, settle_ms;
};

struct play {
	struct player players[PROCESSES];
	struct auditor auditor;
	struct random random;
	struct auditor_order orders[AUDITOR_ORDERS_MAX];
	size_t order_count;
	int starts_left, crashes_left;
	int64_t resumed_us;
	bool is_adverse, has_person;
};

/* What children report. */
struct tally {
	uint64_t seed; /* being played */
	uint64_t trace;
	int64_t breaches, purchases, items, labels, crashes, starts, resolved, bought, failed, held, in_doubt,
		surcharges, surcharged;
	int64_t faults[FAULT_COUNT];
};

static struct tally *tally;

static uint64_t draw(struct play *play, uint64_t below)
{
	return random_below(&play->random, below);
}

/* ---- processes --------------------------------------------------------------------------------------------- */

static void say(const struct play *play, size_t which, const char *what)
{
	if (play->auditor.is_verbose)
		printf("%10.3f s: process %zu %s\n", (double)clock_now_us() / 1e6, which, what);
}

static void draw_settings(struct play *play, struct player *player, char *text, size_t size)
{
	static const int64_t timeouts_ms[] = {2000, 10000, 60000}, settles[] = {12, 15, 30, 100}, leases[] = {2, 3, 8},
			     items_ms[] = {5000, 90000, 600000, 3600000}, ceilings[] = {0, 0, 10, 50},
			     limits[] = {0, 0, 12, 40};
	int64_t timeout_ms = timeouts_ms[draw(play, ARRAY_SIZE(timeouts_ms))];
	int64_t settle_ms = timeout_ms * settles[draw(play, ARRAY_SIZE(settles))] / 10;
	int64_t lease_ms = timeout_ms * leases[draw(play, ARRAY_SIZE(leases))];
	int64_t item_ms = items_ms[draw(play, ARRAY_SIZE(items_ms))];
	player->wish.is_rate_only = draw(play, 6) == 0;
	player->wish.rates_again = draw(play, 6) == 0;
	player->wish.ceiling_percent = ceilings[draw(play, ARRAY_SIZE(ceilings))];
	player->wish.spend_limit = limits[draw(play, ARRAY_SIZE(limits))] * 1000000;
	player->settle_ms = settle_ms;
	snprintf(text, size,
		"carrier.breaker_window=10 carrier.timeout_ms=%lld carrier.settle_ms=%lld bulk.lease_ms=%lld bulk.item_timeout_ms=%lld "
		"bulk.ceiling_percent=%lld bulk.spend_limit=%lld.00 bulk.max_in_flight=%d bulk.rate_again=%d",
		(long long)timeout_ms, (long long)settle_ms, (long long)lease_ms, (long long)item_ms,
		(long long)player->wish.ceiling_percent, (long long)player->wish.spend_limit / 1000000,
		1 << draw(play, 4), player->wish.rates_again);
}

static void draw_edits(struct play *play)
{
	static const int64_t rates[] = {0, 5300000, 5600000, 7000000, 30000000};
	for (size_t i = 0; i < play->order_count; i++) {
		if (draw(play, 10) == 0)
			play->orders[i].content = (int)draw(play, 3);
		if (draw(play, 8) == 0)
			play->orders[i].max_rate = rates[draw(play, ARRAY_SIZE(rates))];
	}
}

static int64_t draw_wall_offset_ms(struct play *play)
{
	static const int64_t offsets_ms[] = {-315360000000, -3600000, -90000, 90000, 7200000, 315360000000};
	return play->auditor.has_wrong_clocks && draw(play, 3) == 0 ? offsets_ms[draw(play, ARRAY_SIZE(offsets_ms))]
								    : 0;
}

static void disturb(struct play *play)
{
	for (size_t i = 0; i < PROCESSES; i++)
		play->players[i].is_alone = false;
}

/* From here on it is this process that does things. Without a guard no effect of its purchases is later than its settle time,
 * less the sixth of it in which they are sent. */
static void switch_to(struct play *play, struct player *player)
{
	clock_set_wall_offset_ms(player->wall_offset_ms);
	play->auditor.process = &player->wish;
	if (!sim_world.guard)
		sim_world.late_max_us = player->settle_ms * 800;
}

static void start(struct play *play, size_t which, const char *settings)
{
	struct player *player = &play->players[which];
	shipopt_order *orders[AUDITOR_ORDERS_MAX];
	char key[32];
	switch_to(play, player);
	memcpy(player->wish.orders, play->orders, sizeof(play->orders));
	sim_run = player->wish.is_rate_only ? shipopt_bulk_rate : shipopt_bulk_buy;
	sim_open(&player->sim, settings);
	for (size_t i = 0; i < play->order_count; i++) {
		snprintf(key, sizeof(key), "o-%zu", i);
		orders[i] = sim_order(key, 1 + play->orders[i].content);
		assert_int_equal(shipopt_order_set_max_rate(orders[i], play->orders[i].max_rate, NULL), 0);
		if (play->orders[i].content % 2)
			sim_insure(orders[i], 50000000);
	}
	assert_int_equal(sim_start(&player->sim, orders, play->order_count), 0);
	disturb(play);
	player->is_alone = true;
	for (size_t i = 0; i < PROCESSES; i++)
		player->is_alone = player->is_alone && !play->players[i].is_running;
	player->is_running = true;
	player->paused_until_us = 0;
	tally->starts++;
	say(play, which, settings);
}

static void start_drawn(struct play *play, size_t which)
{
	char settings[512];
	play->players[which].wall_offset_ms = draw_wall_offset_ms(play);
	draw_edits(play);
	draw_settings(play, &play->players[which], settings, sizeof(settings));
	start(play, which, settings);
	if (play->players[which].wish.is_rate_only)
		say(play, which, "only rates");
}

static void end_process(struct play *play, size_t which)
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
	say(play, which, "is done");
}

static void crash(struct play *play, size_t which)
{
	say(play, which, "crashes");
	sim_crash(&play->players[which].sim);
	play->players[which].is_running = false;
	play->crashes_left--;
	tally->crashes++;
}

/* ---- a person ---------------------------------------------------------------------------------------------- */

static bool is_for_person(const struct ledger_row *row)
{
	return row->state == LEDGER_STATE_BUYING || row->state == LEDGER_STATE_IN_DOUBT || row->needs_person;
}

/* Looks at the carrier's own records, and believes what they say now. */
static void settle_by_person(struct play *play, struct memory_row *row)
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
	disturb(play);
	auditor_resolved(&play->auditor, row);
	if (play->auditor.is_verbose)
		printf("%10.3f s: a person says that %s is %s\n", (double)clock_now_us() / 1e6, row->order_key,
			is_bought ? "bought" : "not bought");
}

static void maybe_settle(struct play *play)
{
	struct memory_ledger *ledger = &sim_database.ledger;
	if (!play->has_person || ledger->row_count == 0 || draw(play, 100))
		return;
	struct memory_row *row = &ledger->rows[draw(play, ledger->row_count)];
	clock_set_wall_offset_ms(0);
	world_catch_up(&sim_world);
	if (is_for_person(&row->row))
		settle_by_person(play, row);
	else if (row->row.state == LEDGER_STATE_HELD && draw(play, 2) &&
		memory_ledger_resolve(ledger, row->row.id, LEDGER_STATE_PLANNED, NULL, "try again") == 0)
		auditor_resolved(&play->auditor, row);
}

/* ---- trouble ----------------------------------------------------------------------------------------------- */

/* What a scheduler, a debugger, a full disk do to a process: it stands still while the others go on. */
static bool stands_still(struct play *play, struct player *player)
{
	int64_t now_us = clock_now_us(), next_us = player->paused_until_us;
	if (now_us >= player->paused_until_us) {
		if (draw(play, 400) == 0)
			player->paused_until_us = now_us + (int64_t)draw(play, 400000000);
		return false;
	}
	/* Where nobody else runs, time passes by. */
	for (size_t i = 0; i < PROCESSES; i++) {
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
	maybe_settle(play);
	if (!player->is_running) {
		if (play->starts_left > 0 && draw(play, 60) == 0) {
			play->starts_left--;
			start_drawn(play, which);
		}
		return;
	}
	if (stands_still(play, player))
		return;
	switch_to(play, player);
	sim_turn(&player->sim, max_us[draw(play, ARRAY_SIZE(max_us))]);
	auditor_look(&play->auditor);
	if (play->crashes_left > 0 && draw(play, 150) == 0)
		crash(play, which);
	else if (sim_is_over(&player->sim))
		end_process(play, which);
}

static bool is_anybody_running(const struct play *play)
{
	bool is_running = play->starts_left > 0;
	for (size_t i = 0; i < PROCESSES; i++)
		is_running = is_running || play->players[i].is_running;
	return is_running;
}

static void trouble(struct play *play)
{
	for (int i = 0; i < STEPS_MAX && !play->auditor.is_broken; i++) {
		if (!is_anybody_running(play))
			return;
		step(play, draw(play, PROCESSES));
	}
	if (!play->auditor.is_broken)
		printf("seed %llu: the processes do not end\n", (unsigned long long)play->auditor.seed);
	play->auditor.is_broken = true;
}

/* ---- the end ----------------------------------------------------------------------------------------------- */

/* Whoever edited an order whose purchase is open puts it back: nothing else can be bought under its key. */
static void restore_orders(struct play *play)
{
	for (size_t i = 0; i < sim_database.ledger.row_count; i++) {
		const struct memory_row *row = &sim_database.ledger.rows[i];
		const struct auditor_approval *approval = &play->auditor.approvals[auditor_index(row->order_key)];
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
	clock_advance_us(DAY_US + DAY_US / 24);
	play->resumed_us = clock_now_us();
	restore_orders(play);
	start(play, 0, "bulk.item_timeout_ms=7200000");
	for (int i = 0; i < STEPS_MAX && !sim_is_over(&player->sim) && !play->auditor.is_broken; i++) {
		sim_turn(&player->sim, 10000000);
		auditor_look(&play->auditor);
	}
	if (!play->auditor.is_broken)
		end_process(play, 0);
}

/* Bought, failed, held, or for a person. What the carrier has said to have postage shows it to a run after the replicas know it; a price
 * that needs review, or is in a currency that nobody wanted, is for a person too. */
static bool is_settled(const struct play *play, const struct memory_row *row, const struct sim_result *result)
{
	const struct world_shipment *shipment = world_find(&sim_world, row->row.shipment_id);
	bool is_hidden = row->row.exists_seen && shipment && shipment->stale_until_us > play->resumed_us;
	switch (row->row.state) {
	case LEDGER_STATE_BOUGHT:
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
	case LEDGER_STATE_BOUGHT: return status >= 0;
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
static void finish(struct play *play)
{
	resume(play);
	if (play->auditor.is_broken)
		return;
	check_settled(play, "when the faults have stopped");
	count_ends();
	clock_advance_us(DAY_US);
	world_catch_up(&sim_world);
	for (size_t i = 0; i < sim_database.ledger.row_count; i++)
		if (is_for_person(&sim_database.ledger.rows[i].row))
			settle_by_person(play, &sim_database.ledger.rows[i]);
	resume(play);
	if (!play->auditor.is_broken)
		check_settled(play, "when a person has settled the rest");
	if (sim_compare() != 0)
		play->auditor.is_broken = true;
}

static void prepare(struct play *play, uint64_t seed)
{
	random_init(&play->random, seed * 7919 + 1);
	play->is_adverse = seed % 8 != 0;
	sim_world.is_adverse = play->is_adverse;
	sim_world.guard = seed % 4 != 1;
	sim_world.permille = (unsigned)draw(play, draw(play, 2) ? 200 : 800);
	sim_world.rerates_no_label = sim_world.guard;
	sim_world.rerate_step = 0;
	sim_world.sells_old_rates = draw(play, 2);
	sim_world.late_max_us = 1000000 + (int64_t)draw(play, 1500000000);
	sim_database.permille = (unsigned)draw(play, 20);
	play->auditor.has_wrong_clocks = sim_world.guard && draw(play, 3) == 0;
	play->has_person = draw(play, 2);
	play->order_count = 1 + draw(play, 6);
	play->starts_left = 1 + (int)draw(play, 6);
	play->crashes_left = (int)draw(play, 5);
}

static bool play_seed(uint64_t seed, bool is_verbose)
{
	struct play play = {0};
	sim_begin(seed);
	auditor_begin(&play.auditor, seed);
	play.auditor.is_verbose = is_verbose;
	prepare(&play, seed);
	trouble(&play);
	if (!play.auditor.is_broken)
		finish(&play);
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

/* In a child, as a crashed process is never freed. */
static void play_apart(uint64_t first, uint64_t count, bool is_verbose)
{
	int status = -1;
	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		for (tally->seed = first; tally->seed < first + count && tally->breaches < BREACHES_MAX; tally->seed++)
			tally->breaches += !play_seed(tally->seed, is_verbose);
		fflush(NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		print_error("seed %llu ended its process: SHIPOPT_SEED=%llu plays it again\n",
			(unsigned long long)tally->seed, (unsigned long long)tally->seed);
		tally->breaches++;
	}
}

/* ---- tests ------------------------------------------------------------------------------------------------- */

static uint64_t number_from_env(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	return text ? strtoull(text, NULL, 10) : otherwise;
}

static int begin_tally(void **state)
{
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return tally == MAP_FAILED;
}

static int end_tally(void **state)
{
	return munmap(tally, sizeof(*tally));
}

static void print_tally(uint64_t seeds)
{
	print_message(
		"%llu seeds: %lld purchases of %lld items in %lld runs, %lld crashes, %lld rows settled by a person\n",
		(unsigned long long)seeds, (long long)tally->purchases, (long long)tally->items,
		(long long)tally->starts, (long long)tally->crashes, (long long)tally->resolved);
	print_message(
		"%lld labels; rows bought %lld, failed %lld, held %lld, in doubt for a person %lld; %lld surcharges of %.2f\n",
		(long long)tally->labels, (long long)tally->bought, (long long)tally->failed, (long long)tally->held,
		(long long)tally->in_doubt, (long long)tally->surcharges, (double)tally->surcharged / 1e6);
}

static void whatever_goes_wrong_no_key_gets_two_labels_and_every_order_settles(void **state)
{
	uint64_t only = number_from_env("SHIPOPT_SEED", 0), seeds = 0;
	uint64_t wanted =
		number_from_env("SHIPOPT_PURCHASES", getenv("SHIPOPT_LONG") ? PURCHASES_LONG : PURCHASES_SHORT);
	if (only) {
		play_apart(only, 1, true);
		print_tally(1);
		assert_int_equal(tally->breaches, 0);
		return;
	}
	for (; (uint64_t)tally->purchases < wanted && tally->breaches < BREACHES_MAX; seeds += BATCH)
		play_apart(seeds + 1, BATCH, false);
	print_tally(seeds);
	assert_int_equal(tally->breaches, 0);
	for (size_t i = 0; i < FAULT_COUNT; i++)
		if (tally->faults[i] == 0)
			fail_msg("nothing went wrong like this: %s", world_fault_name((enum world_fault)i));
}

/* Also in a process that has played others before it. */
static void the_same_seed_gives_the_same_trace(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		play_apart(seed, 1, false);
		uint64_t first = tally->trace;
		play_apart(seed - (seed > 1), 1 + (seed > 1), false);
		assert_int_equal(first, tally->trace);
	}
	assert_int_equal(tally->breaches, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_seed_gives_the_same_trace, begin_tally, end_tally),
		cmocka_unit_test_setup_teardown(whatever_goes_wrong_no_key_gets_two_labels_and_every_order_settles,
			begin_tally, end_tally),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("adversary", tests, NULL, NULL);
}
