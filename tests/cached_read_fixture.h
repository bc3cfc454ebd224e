/* SPDX-License-Identifier: MIT */
#ifndef TESTS_CACHED_READ_FIXTURE_H
#define TESTS_CACHED_READ_FIXTURE_H

#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "sim/sim.h"
#include "base/clock.h"
#include "base/memory.h"
#include "carrier/answer_cache.h"
#include "json/json.h"

/* A simulated process whose carrier client keeps answers in a cache, all on the virtual clock. */
static struct sim_process process;
static shipopt_cache *cache;
static struct world_step script[16];

static inline int64_t virtual_clock(void *userdata)
{
	return clock_now_us();
}

static inline void use_cache(struct sim_process *opened)
{
	shipopt_carrier_config_set_cache(opened->carrier_config, cache);
}

static inline int try_cache_new(int64_t soft_ttl_ms)
{
	shipopt_cache_config *config = NULL;
	int r = shipopt_cache_config_new(&config);
	r = r < 0 ? r : shipopt_cache_config_set_clock(config, virtual_clock, NULL);
	r = r < 0 ? r : shipopt_cache_config_set_int(config, SHIPOPT_CACHE_SOFT_TTL_MS, soft_ttl_ms);
	r = r < 0 ? r : shipopt_cache_new(config, &cache, NULL);
	shipopt_cache_config_free(config);
	return r;
}

static inline void begin(size_t steps, const char *settings)
{
	sim_begin(1);
	sim_world.script = script;
	sim_world.script_count = steps;
	assert_int_equal(try_cache_new(0), 0);
	sim_configure = use_cache;
	sim_open(&process, settings);
}

static inline void finish(void)
{
	sim_close(&process);
	shipopt_cache_free(TAKE(cache));
	sim_end();
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static inline int64_t stat_of(int stat)
{
	int64_t value = -1;
	assert_int_equal(shipopt_cache_stat(cache, stat, &value), 0);
	return value;
}

static inline void pass_ms(int64_t ms)
{
	clock_advance_us(ms * 1000);
}

/* shp_N, made behind the client's back; with a label, if it is to be. */
static inline void make_shipment(bool has_label)
{
	struct world_visit visit;
	uint64_t used = sim_world.script_used;
	sim_world.script_used = ~UINT64_C(0);
	world_arrive(&sim_world, "POST", "/shipments", "{\"shipment\":{\"reference\":\"r\"}}", &visit);
	if (has_label) {
		struct world_shipment *shipment = &sim_world.shipments[visit.shipment];
		shipment->labels = 1;
		shipment->label_number = ++sim_world.labels;
		shipment->price = shipment->prices[0];
		shipment->currency = shipment->currencies[0];
	}
	sim_world.script_used = used;
}

static inline int64_t reads(void)
{
	return sim_world.calls[WORLD_READ];
}

#endif
