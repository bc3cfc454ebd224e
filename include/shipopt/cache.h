/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_CACHE_H
#define SHIPOPT_CACHE_H

#include <shipopt/queue.h>
#include <shipopt/settings.h>

SHIPOPT_BEGIN_DECLS

/*
 * A cache in memory: bytes by bytes, bounded by entries and by bytes, with times to live, tags and single flight.
 *
 * All calls may be made from any thread unless their comment says otherwise. Reading takes no lock (with policy "lru" a hit
 * takes one of several, to keep the order). Values are handed out as reference counted handles, without a copy: a handle
 * stays valid whatever happens to the cache.
 *
 * An entry dies by its time, by shipopt_cache_remove(), by the invalidation of one of its tags or its registered prefix, or by
 * shipopt_cache_clear(). All of these are effective when the call returns, for readers, and for loads that were begun
 * before: what these bring is handed to those who waited, and not stored. Dead entries are not found any more; their
 * memory comes back little by little with later writes, with shipopt_cache_maintain(), or by itself if the cache has a runtime.
 *
 * Keys are 1 to 65,535 bytes, values up to the setting value_max_bytes. Outcomes that are not errors are zero or positive; where a
 * comment names none, success is 0. Common errors: SHIPOPT_EINVAL (NULL, a key without bytes or too long), SHIPOPT_ENOMEM,
 * SHIPOPT_EFORKED. `ret_error` may be NULL; *ret_error is written on failure only, and not on each (SHIPOPT_EINVAL has no detail, for
 * one): set it to NULL before. What it gets is the caller's to unref.
 *
 * Keys, values, texts and options that are given are copied, but for shipopt_cache_put_owned(). Any call that changes the cache
 * may run the removal listener and free functions, on the calling thread, with no lock held. Both may call the cache, but not
 * once its last reference goes: shipopt_cache_free() was called and no load is in flight.
 *
 * Reading a large cache is waiting for memory. shipopt_cache_get_many() waits for many keys at once; who gives up a handle before
 * asking for the next one is served faster than who gathers them. With glibc, GLIBC_TUNABLES=glibc.malloc.hugetlb=1 in the host's
 * environment made look-ups among a million entries a fifth faster (benchmarks/bench_cache.c).
 *
 * Times are monotonic, and right to a few milliseconds with the clock of the system. All of this since 0.1.
 */
typedef struct shipopt_cache shipopt_cache;
typedef struct shipopt_cache_config shipopt_cache_config;
typedef struct shipopt_cache_options shipopt_cache_options;
typedef struct shipopt_value shipopt_value;

enum { /* outcomes of looking for a key */
	SHIPOPT_CACHE_ABSENT = 0,
	SHIPOPT_CACHE_FOUND = 1,
	SHIPOPT_CACHE_STALE = 2,    /* found, but its soft time to live is over: still good to use, due for a refresh */
	SHIPOPT_CACHE_NEGATIVE = 3, /* it is known that there is no such thing; no value is handed out. Never stale */
	SHIPOPT_CACHE_LEAD = 4,     /* the caller has to load it: shipopt_cache_get_or_begin() */
	SHIPOPT_CACHE_WAITING = 5   /* another loads it; the callback will be called */
};

enum { /* why a value left the cache */
	SHIPOPT_CAUSE_EXPIRED = 1,
	SHIPOPT_CAUSE_EVICTED = 2,
	SHIPOPT_CAUSE_REPLACED = 3,
	SHIPOPT_CAUSE_REMOVED = 4, /* shipopt_cache_remove() and _remove_pattern() */
	SHIPOPT_CAUSE_TAG = 5,     /* its tag or prefix was invalidated or the cache cleared */
	SHIPOPT_CAUSE_CLOSED = 6   /* the cache was freed */
};

/* A time to live without end. */
#define SHIPOPT_CACHE_FOREVER INT64_MAX

/* Frees memory that was handed over with shipopt_cache_put_owned(): once, on the thread that gives up the last hold (of a reader, or
 * of the cache), with no lock held and not inside a look-up. */
typedef void (*shipopt_cache_free_fn)(void *userdata, void *value, size_t value_length);
/* Told once for each value that leaves, after it has left: a SHIPOPT_CAUSE_… . Negative entries are not told. Key and value are borrowed
 * for the call. Removals that its own calls cause are told after it has returned. */
typedef void (
	*shipopt_cache_removed_fn)(void *userdata, const void *key, size_t key_length, shipopt_value *value, int cause);
/* Microseconds of a clock that should not go back; if it does, entries live longer. */
typedef int64_t (*shipopt_cache_clock_fn)(void *userdata);

/*
 * Settings, as in <shipopt/settings.h>; environment SHIPOPT_CACHE_….
 *
 *   policy            "s3fifo" (default) or "lru"
 *   entries_max       most entries; default 10,000, 0: bounded by bytes only
 *   bytes_max         most bytes: keys, values and overhead (about 80 bytes an entry); default 67,108,864, at least 4,096
 *   value_max_bytes   largest weight of one entry; 0 (default): an eighth of bytes_max, and never more than bytes_max
 *   count_held        1: bytes of entries that left, but which readers still hold, count against bytes_max, too; default 0. Then
 *                     readers that hold much empty the cache, and the bound may be passed only by what they hold
 *   ttl_ms            time to live; default 60,000, 0: without end
 *   soft_ttl_ms       after this a value is stale: still handed out, but due for a refresh; default 0: never. Not below the time
 *                     to live of an entry it is accepted and has no effect: the entry ends first
 *   access_ttl_ms     an entry dies when not read for so long; default 0: none
 *   negative_ttl_ms   time to live of "there is no such thing"; default 5,000
 *   jitter_percent    times to live are shortened by a random part up to this; default 0, at most 90
 *   error_backoff_ms  after a failed load its error answers for so long instead of another load; default 0: not at all. Always this
 *                     long, it does not grow; removing or invalidating the key ends it
 *   load_timeout_ms   longest wait for another's load; default 30,000
 *   loads_max         loads at once, those in back-off included; default 4,096
 *   tags_max          different tags in use; default 65,536
 *   shards            0 (default): chosen from the bounds, so that each has about 250 entries or more
 *   deliver_inline    1: call back on the event loop instead of a scheduler thread. The callbacks must be short and never
 *                     block. Not together with a queue; default 0
 */
SHIPOPT_API int shipopt_cache_config_new(shipopt_cache_config **ret_config);
SHIPOPT_API void shipopt_cache_config_free(shipopt_cache_config *config);
SHIPOPT_API int shipopt_cache_config_set(shipopt_cache_config *config, const char *name, const char *text);
SHIPOPT_API int shipopt_cache_config_set_int(shipopt_cache_config *config, const char *name, int64_t number);
SHIPOPT_API int shipopt_cache_config_from_env(shipopt_cache_config *config);
SHIPOPT_API const shipopt_error *shipopt_cache_config_error(const shipopt_cache_config *config);
/* A prefix whose entries shipopt_cache_remove_prefix() can kill at once, as "rate:"; 1 to 1,024 bytes, at most 64 of them.
 * SHIPOPT_ETOOLARGE. */
SHIPOPT_API int shipopt_cache_config_add_prefix(shipopt_cache_config *config, const char *prefix);
/* Who is told of removals; NULL: nobody. */
SHIPOPT_API int shipopt_cache_config_set_listener(shipopt_cache_config *config, shipopt_cache_removed_fn listener,
	void *userdata);
/* A clock of the host's; NULL: the system's monotonic one, to a few milliseconds. Called from any thread. */
SHIPOPT_API int shipopt_cache_config_set_clock(shipopt_cache_config *config, shipopt_cache_clock_fn clock,
	void *userdata);

/*
 * A runtime for the cache to work on by itself; NULL (default): none, then it starts no thread, ever. With one:
 *
 *   - dead memory comes back within seconds also when nobody uses the cache: some work each second while anything has an end or is dead, none
 *     while nothing does;
 *   - waiting with a callback ends on time, without shipopt_cache_maintain();
 *   - a stale value is refreshed in the background: see shipopt_cache_get_or_load();
 *   - shipopt_cache_sweep_pattern() can be used.
 *
 * Listener, free functions and waiters are then called on scheduler threads (or the host's executor), too. The cache keeps a reference. When
 * the runtime closes the cache stays usable, as one without. A cache that is freed first needs no close. shipopt_cache_new() may
 * start the reactor's thread: SHIPOPT_ESHUTDOWN, SHIPOPT_EIO.
 */
SHIPOPT_API int shipopt_cache_config_set_runtime(shipopt_cache_config *config, shipopt_runtime *runtime);
/* Delivers completions to a queue; NULL: to scheduler threads. The handle keeps a reference to the queue. */
SHIPOPT_API int shipopt_cache_config_set_queue(shipopt_cache_config *config, shipopt_queue *queue);

/* Makes a cache; `config` is copied and may be NULL. SHIPOPT_EINVAL names the setting that is wrong. */
SHIPOPT_API int shipopt_cache_new(const shipopt_cache_config *config, shipopt_cache **ret_cache,
	shipopt_error **ret_error);
/* Drops the caller's reference; never blocks. No call on the handle may be running. Loads in flight go on: each token keeps the cache and
 * may be answered afterwards. What is left is told to the listener when the last of them has ended. Accepts NULL. */
SHIPOPT_API void shipopt_cache_free(shipopt_cache *cache);

/* A held value: immutable, readable from any thread, until _unref; also after the cache is gone. Data that was copied in is aligned to
 * 8 bytes. All accept NULL: NULL or 0 then. */
SHIPOPT_API const void *shipopt_value_data(const shipopt_value *value);
SHIPOPT_API size_t shipopt_value_length(const shipopt_value *value);
SHIPOPT_API const void *shipopt_value_key(const shipopt_value *value);
SHIPOPT_API size_t shipopt_value_key_length(const shipopt_value *value);
/* Never the same for two writings in one cache. */
SHIPOPT_API uint64_t shipopt_value_version(const shipopt_value *value);
/* `ref` returns its argument. From any thread; _unref costs least on the one that got the handle. */
SHIPOPT_API shipopt_value *shipopt_value_ref(shipopt_value *value);
SHIPOPT_API void shipopt_value_unref(shipopt_value *value);
/* How old the entry is (to a second), and how long it has to live if it is not read; SHIPOPT_CACHE_FOREVER for without end, 0 when
 * over. `cache` is the one it came from. */
SHIPOPT_API int64_t shipopt_value_age_ms(const shipopt_value *value, const shipopt_cache *cache);
SHIPOPT_API int64_t shipopt_value_ttl_ms(const shipopt_value *value, const shipopt_cache *cache);

/* What one writing or load has of its own. Reusable, copied by the calls that take it; not for two threads at once. Times:
 * at least 1 ms or SHIPOPT_CACHE_FOREVER; SHIPOPT_EINVAL otherwise. Without a call to a setter the cache's own setting holds. Setters
 * give 0. `free` accepts NULL. */
SHIPOPT_API int shipopt_cache_options_new(shipopt_cache_options **ret_options);
SHIPOPT_API void shipopt_cache_options_free(shipopt_cache_options *options);
SHIPOPT_API int shipopt_cache_options_set_ttl_ms(shipopt_cache_options *options, int64_t ttl_ms);
SHIPOPT_API int shipopt_cache_options_set_soft_ttl_ms(shipopt_cache_options *options, int64_t ttl_ms);
SHIPOPT_API int shipopt_cache_options_set_access_ttl_ms(shipopt_cache_options *options, int64_t ttl_ms);
SHIPOPT_API int shipopt_cache_options_set_jitter_percent(shipopt_cache_options *options, int64_t percent); /* 0 to 90 */
/* How long to wait for another's load; 0: not at all. */
SHIPOPT_API int shipopt_cache_options_set_timeout_ms(shipopt_cache_options *options, int64_t timeout_ms);
/* With a runtime: where shipopt_cache_get_or_load() refreshes a stale value; other than 0 (default): on a worker, 0: in the call. */
SHIPOPT_API int shipopt_cache_options_set_background(shipopt_cache_options *options, int is_background);
/* At most 8 tags of 1 to 255 bytes; SHIPOPT_ETOOLARGE. 0, also for one that is there already. `clear_tags` forgets them. */
SHIPOPT_API int shipopt_cache_options_add_tag(shipopt_cache_options *options, const char *tag);
SHIPOPT_API int shipopt_cache_options_clear_tags(shipopt_cache_options *options);

/* Looks a key up: one of the outcomes above. For FOUND and STALE *ret_value is a handle of the caller's; with any other outcome it is
 * left as it was, here and in all calls of this header that hand out one value. */
SHIPOPT_API int shipopt_cache_get(shipopt_cache *cache, const void *key, size_t key_length, shipopt_value **ret_value);
/* Copies the value into `buffer`; *ret_length is its length. The outcomes of shipopt_cache_get(). SHIPOPT_ETOOLARGE if it does not fit: then
 * *ret_length says what is needed and nothing is copied. */
SHIPOPT_API int shipopt_cache_get_copy(shipopt_cache *cache, const void *key, size_t key_length, void *buffer,
	size_t buffer_size, size_t *ret_length);
/* Shows a value (FOUND and STALE) to `borrow`, once, inside the call and without a handle: the quickest way. The callback must be short,
 * must not block, and must not call the cache. The outcomes of shipopt_cache_get(). */
typedef void (*shipopt_cache_borrow_fn)(void *userdata, const void *value, size_t value_length);
SHIPOPT_API int shipopt_cache_borrow(shipopt_cache *cache, const void *key, size_t key_length,
	shipopt_cache_borrow_fn borrow, void *userdata);
/*
 * Looks up many keys at once, faster than one by one: memory is fetched ahead. ret_outcomes[i] and ret_values[i] are as for
 * shipopt_cache_get(), ret_values[i] is NULL without a value. Returns how many have one; an error leaves both arrays as they were.
 */
SHIPOPT_API int shipopt_cache_get_many(shipopt_cache *cache, size_t count, const void *const *keys,
	const size_t *key_lengths, int *ret_outcomes, shipopt_value **ret_values);
/* The outcome alone: it does not count as reading, nor in the statistics. */
SHIPOPT_API int shipopt_cache_peek(shipopt_cache *cache, const void *key, size_t key_length);

/*
 * Stores a copy. `options` may be NULL. SHIPOPT_ETOOLARGE if it is too large for this cache (setting value_max_bytes): then
 * what was stored for the key before stays; SHIPOPT_EAGAIN if more than tags_max tags are in use.
 */
SHIPOPT_API int shipopt_cache_put(shipopt_cache *cache, const void *key, size_t key_length, const void *value,
	size_t value_length, const shipopt_cache_options *options);
/* The same without a copy: `value` is the cache's from here on and must not change. `free_value` (may be NULL) is called when the cache and
 * all readers are done with it; on failure of this call it is not called and `value` stays the caller's. */
SHIPOPT_API int shipopt_cache_put_owned(shipopt_cache *cache, const void *key, size_t key_length, void *value,
	size_t value_length, shipopt_cache_free_fn free_value, void *userdata, const shipopt_cache_options *options);
/* Stores that there is no such thing; lives for negative_ttl_ms if `options` say nothing. */
SHIPOPT_API int shipopt_cache_put_negative(shipopt_cache *cache, const void *key, size_t key_length,
	const shipopt_cache_options *options);
enum {
	SHIPOPT_CACHE_IF_ABSENT = 1,
	SHIPOPT_CACHE_IF_PRESENT = 2,
	SHIPOPT_CACHE_IF_VERSION = 3 /* the stored value has this version */
};
/* Stores a copy if the condition holds. 1: stored, 0: the condition does not hold. `version` counts for IF_VERSION only. A
 * negative entry counts as absent. */
SHIPOPT_API int shipopt_cache_put_if(shipopt_cache *cache, const void *key, size_t key_length, const void *value,
	size_t value_length, int condition, uint64_t version, const shipopt_cache_options *options);
/* Gives an entry, also a negative one, a new time to live from now on, also an end where it had none. 1, or 0 if it is absent. The soft time
 * to live keeps its distance from the end. SHIPOPT_EINVAL for less than 1 ms. */
SHIPOPT_API int shipopt_cache_touch(shipopt_cache *cache, const void *key, size_t key_length, int64_t ttl_ms);

/*
 * Single flight: however many ask for a key that is absent, one loads it and the others wait for the result.
 *
 * The one who leads holds a token, shipopt_load, and must answer it exactly once, from any thread: complete, not_found, fail or
 * abandon. Whatever the answer returns, the token is gone then, but for SHIPOPT_EINVAL. It keeps the cache, so it may be answered
 * after shipopt_cache_free().
 * Nothing is locked meanwhile: other keys, eviction and even the same key (by put and remove) go on. Those who wait have a
 * time limit of their own (options, else load_timeout_ms), which ends their waiting and not the load. If the leader abandons, one of
 * those who wait leads. What was invalidated while it was loaded is handed to those who waited and not stored; who asks after the
 * invalidation begins another load. Name the tags in the options of the question, not only in those of the answer: then
 * the invalidation of other tags does not count.
 */
typedef struct shipopt_load shipopt_load;

/* The key to load, as it was given: not NUL-terminated. Borrowed until the answer. */
SHIPOPT_API const void *shipopt_load_key(const shipopt_load *load);
SHIPOPT_API size_t shipopt_load_key_length(const shipopt_load *load);
/* Answers with a value, which is copied and stored. `options` NULL: those of the question. If it cannot be stored (too large), those
 * who wait get it all the same. SHIPOPT_ENOMEM, SHIPOPT_EAGAIN (tags_max): then the load has failed with that. */
SHIPOPT_API int shipopt_load_complete(shipopt_load *load, const void *value, size_t value_length,
	const shipopt_cache_options *options);
/* There is no such thing: stored as a negative entry. `options` NULL: negative_ttl_ms and the tags of the question. */
SHIPOPT_API int shipopt_load_not_found(shipopt_load *load, const shipopt_cache_options *options);
/* The load failed: all who wait, and who ask within error_backoff_ms, get `status` (negative; else it counts as SHIPOPT_EINVAL) and
 * `message` (copied, may be NULL). Accepts NULL. */
SHIPOPT_API void shipopt_load_fail(shipopt_load *load, int status, const char *message);
/* Gives up: one of those who wait leads, or whoever asks next. Accepts NULL. */
SHIPOPT_API void shipopt_load_abandon(shipopt_load *load);

/*
 * Loads one key. 0: it has answered the token, or will, from any thread; negative: the load failed with that code, and the token
 * is not answered or the answer itself gave that code. May call the cache, for other keys.
 */
typedef int (*shipopt_cache_load_fn)(void *userdata, shipopt_load *load);
/*
 * Finds a value or has it loaded, by `load` on this thread or by whoever leads. FOUND, STALE and NEGATIVE as for
 * shipopt_cache_get(), a value just loaded is FOUND; otherwise the failure of the load (also of one in its back-off), with its detail in
 * *ret_error; SHIPOPT_ETIMEDOUT; SHIPOPT_ECANCELED if `load` gave the token up and said 0; SHIPOPT_EDEADLK if this thread is loading this
 * very key; SHIPOPT_EAGAIN if loads_max are in flight. Waits also where `load` answers later, from another thread.
 *
 * A stale value: if the cache has a runtime, everybody gets it at once, and `load` is called by a task of the runtime (a scheduler
 * thread, or the host's executor): so `load` and `userdata` must stay usable until the token is answered, also after this call has returned,
 * and `load` must not wait for an operation there but answer from its `done`. Without a runtime, when it has closed, or by
 * shipopt_cache_options_set_background(), one caller refreshes it in his call and gets what that brings (FOUND or NEGATIVE), the others get it
 * as it is; if the refresh fails, or is in its back-off, he gets the stale one, too. Memos and shipopt_cache_warm() refresh in the call.
 */
SHIPOPT_API int shipopt_cache_get_or_load(shipopt_cache *cache, const void *key, size_t key_length,
	shipopt_cache_load_fn load, void *userdata, const shipopt_cache_options *options, shipopt_value **ret_value,
	shipopt_error **ret_error);

/*
 * Told once how waiting ended: `outcome` FOUND with `value`, NEGATIVE, LEAD with a token in `load` (the leader gave up: it is this one's
 * to answer now), or the failure of the load with `error`, or SHIPOPT_ETIMEDOUT. What an outcome does not bring is NULL; so may `error` be, for
 * want of memory. `value` and `error` are borrowed for the call. Called on the thread of the one who answered or gave up, of
 * shipopt_cache_maintain(), or of the cache's runtime, with no lock held; perhaps before the call that began the waiting has returned. It may
 * call the cache.
 */
typedef void (*shipopt_cache_ready_fn)(void *userdata, int outcome, shipopt_value *value, shipopt_load *load,
	const shipopt_error *error);
/*
 * For loads that go on elsewhere; never waits. FOUND and NEGATIVE as for shipopt_cache_get(). STALE: the value is good to use, and if
 * *ret_load is not NULL the caller also has to refresh it. LEAD: *ret_load is to be answered, also if nobody else waits. WAITING: `ready`
 * will be called. Else the code of a load that is in its back-off, or SHIPOPT_EAGAIN (loads_max, tags_max). `ready` and both outputs are
 * required. *ret_load is written with FOUND and STALE, NULL if there is nothing to do, and with LEAD. Time limits of waiters
 * with a callback are looked at by shipopt_cache_maintain(), and by the cache itself if it has a runtime.
 */
SHIPOPT_API int shipopt_cache_get_or_begin(shipopt_cache *cache, const void *key, size_t key_length,
	const shipopt_cache_options *options, shipopt_cache_ready_fn ready, void *userdata, shipopt_value **ret_value,
	shipopt_load **ret_load);

/*
 * For hosts whose code must not be entered from the threads that read: shipopt_cache_get_or_load() whose loads are asked as events
 * SHIPOPT_EVENT_REQUEST on `queue`. shipopt_request_key() is the key (keys that are text), `ask` is what shipopt_queue_dispatch() runs
 * with the request, NULL if the queue is polled. The host answers with shipopt_request_load_complete(), shipopt_request_complete()
 * for "there is no such thing", or shipopt_request_fail(); the load waits for that without end, also when the event was released. A stale
 * value is handed out at once, its refresh is asked for. Otherwise blocks until the answer or the time limit, without dispatching:
 * another thread has to take the event. Outcomes and errors of shipopt_cache_get_or_load(); SHIPOPT_EDEADLK inside a dispatch of this queue;
 * SHIPOPT_EAGAIN without a free slot.
 */
typedef void (*shipopt_cache_ask_fn)(void *userdata, shipopt_request *request);
SHIPOPT_API int shipopt_cache_get_or_request(shipopt_cache *cache, const void *key, size_t key_length,
	shipopt_queue *queue, shipopt_cache_ask_fn ask, void *userdata, const shipopt_cache_options *options,
	shipopt_value **ret_value, shipopt_error **ret_error);
/* Answers a request of a cache as shipopt_load_complete() does, and consumes it. SHIPOPT_EINVAL for a request of another kind, which is
 * not consumed; otherwise the errors of that call. Since 0.1. */
SHIPOPT_API int shipopt_request_load_complete(shipopt_request *request, const void *value, size_t value_length,
	const shipopt_cache_options *options);

/* Loads many keys in one call: each of `loads` is to be answered, as by shipopt_cache_load_fn; negative fails those not yet answered. The
 * array is borrowed for the call. */
typedef int (*shipopt_cache_load_many_fn)(void *userdata, shipopt_load *const *loads, size_t count);
/*
 * shipopt_cache_get_or_load() for many keys: `load` is called once with those that this caller leads; those that others load
 * are waited for afterwards. ret_outcomes[i] is an outcome or a failure, ret_values[i] a handle or NULL. Returns how many have a value.
 * Stale values are handed out and not refreshed. The options' time limit holds for each key.
 */
SHIPOPT_API int shipopt_cache_get_or_load_many(shipopt_cache *cache, size_t count, const void *const *keys,
	const size_t *key_lengths, shipopt_cache_load_many_fn load, void *userdata,
	const shipopt_cache_options *options, int *ret_outcomes, shipopt_value **ret_values);

/* Removes an entry, also a negative one; a load of it in flight is not stored and not waited for by later callers. 1, or 0 if it was
 * absent. */
SHIPOPT_API int shipopt_cache_remove(shipopt_cache *cache, const void *key, size_t key_length);
/* Kills all entries with the tag, at once, however many. 0, also if nothing has it; SHIPOPT_EINVAL for a tag that cannot be. */
SHIPOPT_API int shipopt_cache_remove_tag(shipopt_cache *cache, const char *tag);
/* Kills all entries whose key begins with `prefix`: at once if the prefix is registered, else as _remove_pattern(). 0, however many. */
SHIPOPT_API int shipopt_cache_remove_prefix(shipopt_cache *cache, const char *prefix);
/*
 * Removes the entries whose key matches: "*" stands for any bytes, "?" for one, a backslash takes the next byte as it is.
 * Goes through the whole cache in this call, a few hundred entries at a time, never holding a lock for longer than one
 * of them takes; entries written after the call began stay. 0; *ret_removed (may be NULL) is how many live ones it removed.
 */
SHIPOPT_API int shipopt_cache_remove_pattern(shipopt_cache *cache, const char *pattern, uint64_t *ret_removed);
/*
 * The same on the cache's runtime: effective for all readers when the call returns; what the entries hold is given back piece by piece,
 * between other tasks, whether or not anybody uses the cache. shipopt_op_value() is how many live entries it removed. SHIPOPT_ESTATE
 * without a runtime, SHIPOPT_EAGAIN while 16 patterns are being swept, SHIPOPT_ETOOLARGE for a pattern of more than 1,024 bytes; cannot
 * be canceled. A runtime that closes waits for it. While it goes on, reading an entry that is older than the call costs a comparison
 * with each pattern.
 */
SHIPOPT_API int shipopt_cache_sweep_pattern(shipopt_cache *cache, const char *pattern, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);
/* Kills everything, at once. 0. */
SHIPOPT_API int shipopt_cache_clear(shipopt_cache *cache);
/* Gives back the memory of all that is dead, and ends waiting that is out of time. For caches that are rarely written
 * to. Takes time in proportion to the entries. */
SHIPOPT_API int shipopt_cache_maintain(shipopt_cache *cache);

/* Called for one live entry; other than 0 ends the walk. `value` is borrowed. */
typedef int (*shipopt_cache_visit_fn)(void *userdata, shipopt_value *value);
/* Walks live entries that have a value, at most `limit` (0: all), in no order, while others may write: what is there all the time is
 * visited once. Does not count as reading. Returns how many were visited, at most INT_MAX. The callback may call the cache. */
SHIPOPT_API int shipopt_cache_visit(shipopt_cache *cache, size_t limit, shipopt_cache_visit_fn visit, void *userdata);
/* The same for those used most of late, best first as far as the policy tells them apart. */
SHIPOPT_API int shipopt_cache_visit_hottest(shipopt_cache *cache, size_t limit, shipopt_cache_visit_fn visit,
	void *userdata);

/* Counters and gauges, read without stopping anybody; SHIPOPT_EINVAL for an unknown one. */
enum {
	SHIPOPT_CACHE_STAT_ENTRIES = 1, /* dead ones whose memory has not come back included */
	SHIPOPT_CACHE_STAT_BYTES = 2,
	SHIPOPT_CACHE_STAT_HELD_BYTES = 3,  /* of entries that left but are still held by readers */
	SHIPOPT_CACHE_STAT_LIMBO_BYTES = 4, /* of entries that left and wait to be freed */
	SHIPOPT_CACHE_STAT_INDEX_BYTES = 5, /* index and ghost */
	SHIPOPT_CACHE_STAT_SHARDS = 6,
	SHIPOPT_CACHE_STAT_TAGS = 7,
	SHIPOPT_CACHE_STAT_HITS = 10, /* stale ones included, negative ones not */
	SHIPOPT_CACHE_STAT_STALE_HITS = 11,
	SHIPOPT_CACHE_STAT_NEGATIVE_HITS = 12,
	SHIPOPT_CACHE_STAT_MISSES = 13,
	SHIPOPT_CACHE_STAT_LOADS = 14,
	SHIPOPT_CACHE_STAT_LOAD_FAILURES = 15,
	SHIPOPT_CACHE_STAT_COALESCED = 16, /* callers that waited for another's load */
	SHIPOPT_CACHE_STAT_REFUSED = 17,   /* too large */
	SHIPOPT_CACHE_STAT_STORED = 18,
	SHIPOPT_CACHE_STAT_LOADS_DROPPED = 19, /* results not stored, as their key or tag was invalidated meanwhile */
	SHIPOPT_CACHE_STAT_EXPIRED = 20,       /* from here on: entries that left, by cause */
	SHIPOPT_CACHE_STAT_EVICTED = 21,
	SHIPOPT_CACHE_STAT_REPLACED = 22,
	SHIPOPT_CACHE_STAT_REMOVED = 23,
	SHIPOPT_CACHE_STAT_TAGGED = 24,
	SHIPOPT_CACHE_STAT_EXPIRED_BYTES = 30, /* and their weight */
	SHIPOPT_CACHE_STAT_EVICTED_BYTES = 31,
	SHIPOPT_CACHE_STAT_REPLACED_BYTES = 32,
	SHIPOPT_CACHE_STAT_REMOVED_BYTES = 33,
	SHIPOPT_CACHE_STAT_TAGGED_BYTES = 34
};
SHIPOPT_API int shipopt_cache_stat(shipopt_cache *cache, int stat, int64_t *ret_value);

/*
 * A view for the time of one request: what it has read once it reads again from itself, without touching what threads share. It
 * belongs to one thread at a time. Pointers that it hands out live until shipopt_scope_end(), whatever happens to the cache. It
 * remembers up to `entries_max` values (0: 256); beyond that both calls give SHIPOPT_ETOOLARGE: read the cache itself then.
 * Values put into it are seen by this view alone. `cache` may be NULL: then it has only those.
 */
typedef struct shipopt_scope shipopt_scope;
SHIPOPT_API int shipopt_scope_begin(shipopt_cache *cache, size_t entries_max, shipopt_scope **ret_scope);
/* Accepts NULL. */
SHIPOPT_API void shipopt_scope_end(shipopt_scope *scope);
/* The outcomes of shipopt_cache_get(); FOUND for what was read before. Absence is not remembered. */
SHIPOPT_API int shipopt_scope_get(shipopt_scope *scope, const void *key, size_t key_length, const void **ret_value,
	size_t *ret_value_length);
/* SHIPOPT_ESTATE if the view has a value for the key already: what it has handed out does not change. */
SHIPOPT_API int shipopt_scope_put(shipopt_scope *scope, const void *key, size_t key_length, const void *value,
	size_t value_length);

/*
 * A function whose results are cached. Its name and arguments make the key by themselves (each argument with its length, so
 * that no two lists make the same key), or `key` does. A memo may be called from any thread.
 */
typedef struct shipopt_memo shipopt_memo;
/* Writes the key for these arguments, at most `size` bytes, and returns its length; 0 or more than `size`: SHIPOPT_EINVAL. */
typedef size_t (*shipopt_memo_key_fn)(void *userdata, const char *const *arguments, size_t argument_count, char *key,
	size_t size);
/* Computes the result and answers the token; otherwise as shipopt_cache_load_fn. Arguments are borrowed. */
typedef int (
	*shipopt_memo_call_fn)(void *userdata, const char *const *arguments, size_t argument_count, shipopt_load *load);
/* `key` and `options` may be NULL; options and name are copied. The memo keeps the cache alive. */
SHIPOPT_API int shipopt_memo_new(shipopt_cache *cache, const char *name, shipopt_memo_call_fn call,
	shipopt_memo_key_fn key, void *userdata, const shipopt_cache_options *options, shipopt_memo **ret_memo);
/* No call may be running. Accepts NULL. */
SHIPOPT_API void shipopt_memo_free(shipopt_memo *memo);
/* The result, from the cache or computed now: as shipopt_cache_get_or_load(). SHIPOPT_ETOOLARGE for a key beyond 4,096 bytes. */
SHIPOPT_API int shipopt_memo_call(shipopt_memo *memo, const char *const *arguments, size_t argument_count,
	shipopt_value **ret_value, shipopt_error **ret_error);
/* Forgets one result, or all of this memo's. */
SHIPOPT_API int shipopt_memo_forget(shipopt_memo *memo, const char *const *arguments, size_t argument_count);
SHIPOPT_API int shipopt_memo_forget_all(shipopt_memo *memo);

/*
 * Fills a cache before it is needed: loads the keys that are absent, on all workers of the runtime and this thread, or only here
 * if it is NULL. Each load may give its value a time to live of its own, by the options of its answer. Failures do not end it. Returns how many
 * keys have a value or are known not to exist afterwards; *ret_failed (may be NULL) is how many do not. To fill it from rows that come
 * anyway, put them one by one.
 */
SHIPOPT_API int shipopt_cache_warm(shipopt_cache *cache, shipopt_runtime *runtime, size_t count,
	const void *const *keys, const size_t *key_lengths, shipopt_cache_load_fn load, void *userdata,
	const shipopt_cache_options *options, size_t *ret_failed);

/*
 * Writes all live entries to a file, in place of what was there, once it is complete and synced. Times to live are kept as
 * what is left of them. Not for caches that hold secrets: the file is plain. SHIPOPT_EIO names what failed. *ret_count may be NULL.
 */
SHIPOPT_API int shipopt_cache_save(shipopt_cache *cache, const char *path, uint64_t *ret_count,
	shipopt_error **ret_error);
/*
 * Reads such a file; the time since it was written counts against the times to live. A file that is truncated, changed or not
 * one of ours is SHIPOPT_EPARSE, one of another version SHIPOPT_EUNSUPPORTED, and nothing of it is taken. What the cache has already
 * stays. *ret_count (may be NULL): how many entries were stored.
 */
SHIPOPT_API int shipopt_cache_restore(shipopt_cache *cache, const char *path, uint64_t *ret_count,
	shipopt_error **ret_error);

SHIPOPT_END_DECLS

#endif
