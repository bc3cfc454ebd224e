/* SPDX-License-Identifier: MIT */
#include "cache/options.h"

#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "cache/entry/state.h"

void options_init(shipopt_cache_options *options)
{
	options->ttl_ms = options->soft_ttl_ms = options->access_ttl_ms = OPTION_UNSET;
	options->jitter_percent = options->timeout_ms = OPTION_UNSET;
	options->refreshes_in_call = false;
	options->wants_negative_detail = false;
	options->tag_count = 0;
}

int shipopt_cache_options_new(shipopt_cache_options **ret_options)
{
	if (!ret_options)
		return SHIPOPT_EINVAL;
	shipopt_cache_options *options = mem_alloc_zero(sizeof(*options));
	if (!options)
		return SHIPOPT_ENOMEM;
	options_init(options);
	*ret_options = options;
	return 0;
}

void shipopt_cache_options_free(shipopt_cache_options *options)
{
	mem_free(options);
}

static int options_set_time(shipopt_cache_options *options, int64_t *time, int64_t ttl_ms)
{
	if (!options || ttl_ms <= 0)
		return SHIPOPT_EINVAL;
	*time = ttl_ms;
	return 0;
}

int shipopt_cache_options_set_ttl_ms(shipopt_cache_options *options, int64_t ttl_ms)
{
	return options_set_time(options, options ? &options->ttl_ms : NULL, ttl_ms);
}

int shipopt_cache_options_set_soft_ttl_ms(shipopt_cache_options *options, int64_t ttl_ms)
{
	return options_set_time(options, options ? &options->soft_ttl_ms : NULL, ttl_ms);
}

int shipopt_cache_options_set_access_ttl_ms(shipopt_cache_options *options, int64_t ttl_ms)
{
	return options_set_time(options, options ? &options->access_ttl_ms : NULL, ttl_ms);
}

int shipopt_cache_options_set_jitter_percent(shipopt_cache_options *options, int64_t percent)
{
	if (!options || percent < 0 || percent > 90)
		return SHIPOPT_EINVAL;
	options->jitter_percent = percent;
	return 0;
}

int shipopt_cache_options_set_timeout_ms(shipopt_cache_options *options, int64_t timeout_ms)
{
	if (!options || timeout_ms < 0)
		return SHIPOPT_EINVAL;
	options->timeout_ms = timeout_ms;
	return 0;
}

int shipopt_cache_options_set_background(shipopt_cache_options *options, int is_background)
{
	if (!options)
		return SHIPOPT_EINVAL;
	options->refreshes_in_call = !is_background;
	return 0;
}

int shipopt_cache_options_add_tag(shipopt_cache_options *options, const char *tag)
{
	size_t length = tag ? strlen(tag) : 0;
	if (!options || length == 0)
		return SHIPOPT_EINVAL;
	if (length > TAG_NAME_MAX)
		return SHIPOPT_ETOOLARGE;
	for (unsigned i = 0; i < options->tag_count; i++)
		if (strcmp(options->tags[i], tag) == 0)
			return 0;
	if (options->tag_count == ENTRY_TAGS_MAX)
		return SHIPOPT_ETOOLARGE;
	memcpy(options->tags[options->tag_count++], tag, length + 1);
	return 0;
}

int shipopt_cache_options_clear_tags(shipopt_cache_options *options)
{
	if (!options)
		return SHIPOPT_EINVAL;
	options->tag_count = 0;
	return 0;
}

static int64_t options_pick(int64_t given, int64_t setting)
{
	if (given != OPTION_UNSET)
		return given;
	return setting ? setting : SHIPOPT_CACHE_FOREVER;
}

struct lifetime options_lifetime(const shipopt_cache *cache, const shipopt_cache_options *options, bool is_not_found)
{
	static const shipopt_cache_options none = {.ttl_ms = OPTION_UNSET,
		.soft_ttl_ms = OPTION_UNSET,
		.access_ttl_ms = OPTION_UNSET,
		.jitter_percent = OPTION_UNSET};
	if (!options)
		options = &none;
	struct lifetime lifetime = {.ttl_ms = options_pick(options->ttl_ms,
					    is_not_found ? cache->not_found_ttl_ms : cache->ttl_ms),
		.soft_ttl_ms = SHIPOPT_CACHE_FOREVER,
		.access_ttl_ms = SHIPOPT_CACHE_FOREVER,
		.jitter_percent =
			options->jitter_percent == OPTION_UNSET ? cache->jitter_percent : options->jitter_percent};
	if (!is_not_found) {
		lifetime.soft_ttl_ms = options_pick(options->soft_ttl_ms, cache->soft_ttl_ms);
		lifetime.access_ttl_ms = options_pick(options->access_ttl_ms, cache->access_ttl_ms);
	}
	return lifetime;
}

bool lifetime_is_timed(const struct lifetime *lifetime)
{
	return lifetime->ttl_ms != SHIPOPT_CACHE_FOREVER || lifetime->soft_ttl_ms != SHIPOPT_CACHE_FOREVER ||
		lifetime->access_ttl_ms != SHIPOPT_CACHE_FOREVER;
}

/* Times get shorter by up to `percent`, never longer, so that a value is never older than its TTL. The same ticket
 * gives the same part, so that soft and hard times keep their order. */
static int64_t options_shorten(int64_t ms, int64_t percent, uint64_t ticket)
{
	if (percent == 0 || ms == SHIPOPT_CACHE_FOREVER)
		return ms;
	struct random random;
	random_init(&random, ticket);
	double factor = 1.0 - random_unit(&random) * (double)percent / 100.0;
	return MAX(1, (int64_t)((double)ms * factor));
}

void lifetime_apply(const shipopt_cache *cache, const struct lifetime *lifetime, struct entry *entry)
{
	if (!(entry->flags & ENTRY_TIMED))
		return;
	struct entry_timing *timing = entry_timing(entry);
	int64_t now = cache_now_us(cache);
	uint64_t ticket = entry_stamp(entry);
	int64_t hard = time_after_ms(now, options_shorten(lifetime->ttl_ms, lifetime->jitter_percent, ticket));
	int64_t soft = time_after_ms(now, options_shorten(lifetime->soft_ttl_ms, lifetime->jitter_percent, ticket));
	int64_t access =
		lifetime->access_ttl_ms == SHIPOPT_CACHE_FOREVER ? 0 : time_after_ms(0, lifetime->access_ttl_ms);
	if (access == ENTRY_NEVER)
		access = 0;
	atomic_store_explicit(&timing->hard_us, hard, memory_order_relaxed);
	atomic_store_explicit(&timing->soft_us, soft, memory_order_relaxed);
	atomic_store_explicit(&timing->access_us, access, memory_order_relaxed);
	atomic_store_explicit(&timing->expires_us, MIN(hard, time_idle_end(now, access)), memory_order_relaxed);
}

int options_acquire_tags(shipopt_cache *cache, const shipopt_cache_options *options,
	struct tag *ret_tags[ENTRY_TAGS_MAX])
{
	unsigned count = options ? options->tag_count : 0;
	for (unsigned i = 0; i < count; i++) {
		int r = tags_acquire(&cache->tags, options->tags[i], &ret_tags[i]);
		if (r < 0) {
			tags_release(&cache->tags, ret_tags, i);
			return r;
		}
	}
	return 0;
}
