/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_CACHE_H
#define SHIPOPT_CACHE_H

#include <shipopt/queue.h>
#include <shipopt/settings.h>

SHIPOPT_BEGIN_DECLS

/*
 * A cache in memory. Keys and values are bytes. It is bounded by entries and by bytes, and supports TTLs, tags and
 * single flight.
 *
 * These rules hold for the whole header:
 *
 * - Any thread may make any call, unless its comment says otherwise.
 * - Keys are 1 to 65,535 bytes. An entry, with its key and about 80 bytes of overhead, may have up to value_max_bytes.
 * - Outcomes that are not errors are zero or positive. Where a comment names none, success is 0.
 * - Every call may return SHIPOPT_EINVAL (an argument is NULL, or the key is empty or too long), SHIPOPT_ENOMEM, and
 *   SHIPOPT_EFORKED in a forked child. Comments name the other errors.
 * - An output is written only as the comment says. A failed call leaves its outputs unchanged.
 * - `ret_error` may be NULL. If the call fails, *ret_error is set to an error that the caller must unref. A call that
 *   returns SHIPOPT_EINVAL or SHIPOPT_EFORKED may leave it unchanged, so set it to NULL before.
 * - Keys, values, texts and options are copied. shipopt_cache_put_owned() is the exception.
 * - `options` may be NULL. The settings of the cache then apply.
 *
 * Lookups take no lock. The policy "lru" is the exception: a hit locks one part of the cache, to keep the order. A
 * value is returned as a reference-counted handle, without a copy. The handle stays valid whatever happens to the
 * cache.
 *
 * An entry is removed when its TTL expires, by shipopt_cache_remove(), when one of its tags or its registered prefix is
 * invalidated, or by shipopt_cache_clear(). A removal is effective when the call returns: no reader finds the entry any
 * more. The result of a load that began before is delivered to the callers already waiting, but not stored. The memory
 * is freed by later writes, by shipopt_cache_maintain(), or in the background if the cache has a runtime.
 *
 * A call that changes the cache may run the removal callback and free functions, on the calling thread, with no lock
 * held. They may call the cache, except while it is destroyed, which happens after shipopt_cache_free() when no load is
 * in flight.
 *
 * What it costs: a hit in a small cache takes about 20 ns, and about 55 ns if the entry has a TTL, which needs the
 * clock (measured on a 2.1 GHz server). Lookups in a large cache are bound by memory latency.
 * shipopt_cache_get_many() overlaps the memory accesses of many keys. Releasing each handle before the next lookup is
 * faster than collecting handles. With glibc, GLIBC_TUNABLES=glibc.malloc.hugetlb=1 in the environment makes lookups
 * among a million entries about a fifth faster.
 *
 * Times are monotonic. With the system's clock they are accurate to a few milliseconds.
 *
 * Since 0.1; functions that are newer say so.
 */
typedef struct shipopt_cache shipopt_cache;
typedef struct shipopt_cache_config shipopt_cache_config;
typedef struct shipopt_cache_options shipopt_cache_options;
typedef struct shipopt_value shipopt_value;
typedef struct shipopt_removal shipopt_removal;

/* The outcomes of a lookup. */
enum {
	SHIPOPT_CACHE_ABSENT = 0,    /* the cache knows nothing about the key */
	SHIPOPT_CACHE_FOUND = 1,     /* there is a value */
	SHIPOPT_CACHE_STALE = 2,     /* there is a value, but its soft TTL is over: use it, and refresh it */
	SHIPOPT_CACHE_NOT_FOUND = 3, /* it is known that the key has no value */
	SHIPOPT_CACHE_LEAD = 4,      /* the caller must load the value: shipopt_cache_get_or_begin() */
	SHIPOPT_CACHE_WAITING = 5    /* another caller loads the value, and the callback will be called */
};

/* Why a value was removed. */
enum {
	SHIPOPT_CACHE_CAUSE_EXPIRED = 1,     /* its TTL was over */
	SHIPOPT_CACHE_CAUSE_EVICTED = 2,     /* the cache was full */
	SHIPOPT_CACHE_CAUSE_REPLACED = 3,    /* another value was stored for the key */
	SHIPOPT_CACHE_CAUSE_REMOVED = 4,     /* shipopt_cache_remove(), _remove_pattern() */
	SHIPOPT_CACHE_CAUSE_INVALIDATED = 5, /* its tag or prefix was invalidated, or the cache was cleared */
	SHIPOPT_CACHE_CAUSE_CLOSED = 6       /* the cache was destroyed */
};

/* A TTL that never ends. */
#define SHIPOPT_CACHE_FOREVER INT64_MAX

/*
 * Frees a value that was given to shipopt_cache_put_owned(). Called once, when neither the cache nor any handle uses
 * the value, on the thread that drops the last use, with no lock held and never during a lookup.
 */
typedef void (*shipopt_cache_free_fn)(void *userdata, void *value, size_t value_length);
/*
 * Called once for each value that was removed, after the removal. `cause` is one of SHIPOPT_CACHE_CAUSE_…. Key and
 * value are borrowed for the call. The callback is not called for "not found" entries. It may call the cache; removals
 * that its own calls cause are reported after it has returned.
 */
typedef void (
	*shipopt_cache_removed_fn)(void *userdata, const void *key, size_t key_length, shipopt_value *value, int cause);
/* Returns the time in microseconds. The clock should not go back: entries then live longer. */
typedef int64_t (*shipopt_cache_clock_fn)(void *userdata);

/*
 * Settings, as in <shipopt/settings.h>; environment SHIPOPT_CACHE_….
 *
 *   policy            "s3fifo" (default) or "lru": which entries are evicted from a full cache
 *   entries_max       maximum number of entries; default 10,000; 0: no limit on entries
 *   bytes_max         maximum bytes of keys, values and overhead; default 67,108,864, at least 4,096
 *   value_max_bytes   maximum bytes of one entry, at most bytes_max; 0 (default): one eighth of bytes_max
 *   count_held        1: bytes of removed entries whose handles are still held count against bytes_max; default 0. With
 *                     1, readers that hold many handles empty the cache, and the bound is exceeded by no more than what
 *                     they hold
 *   ttl_ms            TTL of a value; default 60,000; 0: never expires
 *   soft_ttl_ms       age at which a value becomes stale; default 0: never. It has no effect if the TTL is shorter
 *   access_ttl_ms     an entry expires when it was not read for this long; default 0: no limit
 *   not_found_ttl_ms  TTL of a "not found" entry; default 5,000
 *   jitter_percent    maximum percentage by which TTLs are randomly shortened; default 0, at most 90
 *   error_backoff_ms  how long a failed load's error is returned to later callers before the key is loaded again;
 *                     default 0: the key is loaded again at once. The interval is constant. Removing or invalidating
 *                     the key ends it
 *   load_timeout_ms   maximum wait for another caller's load; default 30,000
 *   loads_max         maximum number of loads in flight, including those in their back-off; default 4,096
 *   tags_max          maximum number of different tags in use; default 65,536
 *   shards            number of independently locked parts; 0 (default): chosen from the bounds, at least 250 entries
 *                     each
 */
SHIPOPT_API int shipopt_cache_config_new(shipopt_cache_config **ret_config);
SHIPOPT_API void shipopt_cache_config_free(shipopt_cache_config *config);
SHIPOPT_API int shipopt_cache_config_set(shipopt_cache_config *config, const char *name, const char *text);
SHIPOPT_API int shipopt_cache_config_set_int(shipopt_cache_config *config, const char *name, int64_t number);
SHIPOPT_API int shipopt_cache_config_from_env(shipopt_cache_config *config);
SHIPOPT_API const shipopt_error *shipopt_cache_config_error(const shipopt_cache_config *config);
/*
 * Registers a prefix of keys, such as "rate:", which shipopt_cache_remove_prefix() can then invalidate in constant
 * time. A prefix is 1 to 1,024 bytes, and a cache has at most 64 of them. SHIPOPT_ETOOLARGE.
 */
SHIPOPT_API int shipopt_cache_config_add_prefix(shipopt_cache_config *config, const char *prefix);
/*
 * Sets the removal callback. NULL (default): none. Without a queue it runs on the thread whose call removed the entry,
 * and on scheduler threads if the cache has a runtime. With a queue see shipopt_cache_config_set_queue().
 */
SHIPOPT_API int shipopt_cache_config_set_removed(shipopt_cache_config *config, shipopt_cache_removed_fn removed,
	void *userdata);
/* Sets the clock. NULL (default): the system's monotonic clock. The callback may be called on any thread. */
SHIPOPT_API int shipopt_cache_config_set_clock(shipopt_cache_config *config, shipopt_cache_clock_fn clock,
	void *userdata);
/*
 * Gives the cache a runtime, of which it keeps a reference. NULL (default): none, and the cache never starts a thread.
 * With a runtime:
 *
 *   - the memory of removed and expired entries is freed within seconds, even if nobody uses the cache. An idle cache
 *     without such entries causes no wake-ups;
 *   - waits with a callback end at their time limit, without shipopt_cache_maintain();
 *   - shipopt_cache_get_or_load() refreshes stale values in the background;
 *   - shipopt_cache_warm() loads in parallel.
 *
 * The removal callback, free functions, loaders and waiting callbacks are then also called on scheduler threads (or the
 * application's executor). When the runtime is closed the cache stays usable, as one without a runtime. The cache may
 * be freed before the runtime is closed.
 */
SHIPOPT_API int shipopt_cache_config_set_runtime(shipopt_cache_config *config, shipopt_runtime *runtime);
/*
 * Sets the queue of the cache, which keeps a reference. NULL (default): none. Since 0.2. With a queue:
 *
 *   - shipopt_cache_get_or_request() posts its loads there as SHIPOPT_EVENT_REQUEST;
 *   - removals are reported there as SHIPOPT_EVENT_REMOVAL instead of by a call on the removing thread.
 *     shipopt_queue_dispatch() runs the removal callback. shipopt_queue_poll() returns the event, if the callback is
 *     set or the queue has enabled that kind; its userdata is that of shipopt_cache_config_set_removed(), its status
 *     the cause. These events are notices, and may be lost: see <shipopt/queue.h>.
 */
SHIPOPT_API int shipopt_cache_config_set_queue(shipopt_cache_config *config, shipopt_queue *queue);

/*
 * Creates a cache. `config` is copied and may be NULL. The caller owns *ret_cache and frees it with
 * shipopt_cache_free(). SHIPOPT_EINVAL if a setting is wrong; the error names it. With a runtime also SHIPOPT_ESHUTDOWN
 * and SHIPOPT_EIO, because the call starts the event loop's thread.
 */
SHIPOPT_API int shipopt_cache_new(const shipopt_cache_config *config, shipopt_cache **ret_cache,
	shipopt_error **ret_error);
/*
 * Drops the caller's reference. Accepts NULL and never blocks. No other call on the handle may be running. Loads in
 * flight go on: each token keeps the cache, and may be answered afterwards. The remaining entries are reported to the
 * removal callback when the last load has ended.
 */
SHIPOPT_API void shipopt_cache_free(shipopt_cache *cache);

/* ---- values ------------------------------------------------------------------------------------------------ */

/*
 * A value handle. It is immutable and can be read on any thread until it is unreferenced, also after the cache was
 * freed. Data that the cache copied is aligned to 8 bytes. Bytes are not NUL-terminated. With NULL these functions
 * return NULL or 0.
 */
SHIPOPT_API const void *shipopt_value_data(const shipopt_value *value);
SHIPOPT_API size_t shipopt_value_length(const shipopt_value *value);
SHIPOPT_API const void *shipopt_value_key(const shipopt_value *value);
SHIPOPT_API size_t shipopt_value_key_length(const shipopt_value *value);
/* Returns the version of the value. It is unique for each write to one cache, and never 0. */
SHIPOPT_API uint64_t shipopt_value_version(const shipopt_value *value);
/* Takes another reference and returns `value`. */
SHIPOPT_API shipopt_value *shipopt_value_ref(shipopt_value *value);
/* Drops a reference, on any thread. It is fastest on the thread that got the handle. */
SHIPOPT_API void shipopt_value_unref(shipopt_value *value);
/* Returns the age of the entry, accurate to a second. `cache` is the cache that the value came from. */
SHIPOPT_API int64_t shipopt_value_age_ms(const shipopt_value *value, const shipopt_cache *cache);
/* Returns how long the entry will live if it is not read: 0 if it has expired, SHIPOPT_CACHE_FOREVER if it never
 * expires. */
SHIPOPT_API int64_t shipopt_value_ttl_ms(const shipopt_value *value, const shipopt_cache *cache);

/* Returns the value that a SHIPOPT_EVENT_REMOVAL reports: shipopt_removal_value(shipopt_event_removal(event)). It is
 * borrowed until the event is released. NULL for NULL. Since 0.2. */
SHIPOPT_API shipopt_value *shipopt_removal_value(const shipopt_removal *removal);

/* ---- options ----------------------------------------------------------------------------------------------- */

/*
 * Options for one write or one load. An options object can be used many times, but not by two threads at once. What is
 * not set comes from the settings of the cache. TTLs are at least 1 ms, or SHIPOPT_CACHE_FOREVER. Setters return
 * SHIPOPT_EINVAL for a value out of bounds. `_free` accepts NULL.
 */
SHIPOPT_API int shipopt_cache_options_new(shipopt_cache_options **ret_options);
SHIPOPT_API void shipopt_cache_options_free(shipopt_cache_options *options);
SHIPOPT_API int shipopt_cache_options_set_ttl_ms(shipopt_cache_options *options, int64_t ttl_ms);
SHIPOPT_API int shipopt_cache_options_set_soft_ttl_ms(shipopt_cache_options *options, int64_t ttl_ms);
SHIPOPT_API int shipopt_cache_options_set_access_ttl_ms(shipopt_cache_options *options, int64_t ttl_ms);
/* 0 to 90. */
SHIPOPT_API int shipopt_cache_options_set_jitter_percent(shipopt_cache_options *options, int64_t percent);
/* Sets the maximum wait for another caller's load. 0: no wait. */
SHIPOPT_API int shipopt_cache_options_set_timeout_ms(shipopt_cache_options *options, int64_t timeout_ms);
/* Sets where shipopt_cache_get_or_load() refreshes a stale value if the cache has a runtime. 1 (default): on a
 * scheduler thread; 0: in the call. */
SHIPOPT_API int shipopt_cache_options_set_background(shipopt_cache_options *options, int is_background);
/* Adds a tag of 1 to 255 bytes. An entry has at most 8 tags. Adding a tag twice has no effect. SHIPOPT_ETOOLARGE. */
SHIPOPT_API int shipopt_cache_options_add_tag(shipopt_cache_options *options, const char *tag);
/* Removes all tags. */
SHIPOPT_API int shipopt_cache_options_clear_tags(shipopt_cache_options *options);

/* ---- looking up -------------------------------------------------------------------------------------------- */

/*
 * Looks a key up. Returns ABSENT, FOUND, STALE or NOT_FOUND. With FOUND and STALE, *ret_value is a handle that the
 * caller must unref. With any other outcome it is left unchanged; this holds for all calls that return one value.
 */
SHIPOPT_API int shipopt_cache_get(shipopt_cache *cache, const void *key, size_t key_length, shipopt_value **ret_value);
/*
 * Looks a key up and copies the value into `buffer`. *ret_length is the length of the value. Returns what
 * shipopt_cache_get() returns. SHIPOPT_ETOOLARGE if the value is longer than `buffer_size`: then *ret_length is written
 * and nothing is copied.
 */
SHIPOPT_API int shipopt_cache_get_copy(shipopt_cache *cache, const void *key, size_t key_length, void *buffer,
	size_t buffer_size, size_t *ret_length);
/* Called with a value during shipopt_cache_borrow(). It must be short, must not block, and must not call the cache. */
typedef void (*shipopt_cache_borrow_fn)(void *userdata, const void *value, size_t value_length);
/* Looks a key up and calls `borrow` with the value, once, during the call. It needs no handle, and is the fastest
 * lookup. Returns what shipopt_cache_get() returns; `borrow` is called for FOUND and STALE. */
SHIPOPT_API int shipopt_cache_borrow(shipopt_cache *cache, const void *key, size_t key_length,
	shipopt_cache_borrow_fn borrow, void *userdata);
/*
 * Looks up `count` keys, faster than one by one. ret_outcomes[i] and ret_values[i] are those of shipopt_cache_get();
 * ret_values[i] is NULL without a value. Returns the number of values.
 */
SHIPOPT_API int shipopt_cache_get_many(shipopt_cache *cache, size_t count, const void *const *keys,
	const size_t *key_lengths, int *ret_outcomes, shipopt_value **ret_values);
/* Returns the outcome alone. It does not count as a read, neither for eviction and TTLs nor in the statistics. */
SHIPOPT_API int shipopt_cache_peek(shipopt_cache *cache, const void *key, size_t key_length);

/* ---- storing ----------------------------------------------------------------------------------------------- */

/*
 * Stores a copy of a value, in place of what was stored for the key.
 *
 * SHIPOPT_ETOOLARGE if the entry is larger than value_max_bytes. SHIPOPT_EAGAIN if tags_max tags are in use. If the
 * call fails, what was stored for the key stays.
 */
SHIPOPT_API int shipopt_cache_put(shipopt_cache *cache, const void *key, size_t key_length, const void *value,
	size_t value_length, const shipopt_cache_options *options);
/*
 * Stores a value without a copy. On success the cache owns `value`, which must not change any more. `free_value` (may
 * be NULL) frees it when neither the cache nor any handle uses it. On failure the value stays the caller's. Errors of
 * shipopt_cache_put().
 */
SHIPOPT_API int shipopt_cache_put_owned(shipopt_cache *cache, const void *key, size_t key_length, void *value,
	size_t value_length, shipopt_cache_free_fn free_value, void *userdata, const shipopt_cache_options *options);
/* Stores that the key has no value. The TTL is not_found_ttl_ms if `options` do not set one. Errors of
 * shipopt_cache_put(). Since 0.2. */
SHIPOPT_API int shipopt_cache_put_not_found(shipopt_cache *cache, const void *key, size_t key_length,
	const shipopt_cache_options *options);
#define SHIPOPT_CACHE_VERSION_ABSENT ((uint64_t)0)
#define SHIPOPT_CACHE_VERSION_ANY UINT64_MAX
/*
 * Stores a copy of a value if the stored value has this version. SHIPOPT_CACHE_VERSION_ABSENT: if the key has no value
 * ("not found" counts as none). SHIPOPT_CACHE_VERSION_ANY: if it has one. Returns 1 if the value was stored, 0 if not.
 * Errors of shipopt_cache_put().
 */
SHIPOPT_API int shipopt_cache_put_if(shipopt_cache *cache, const void *key, size_t key_length, const void *value,
	size_t value_length, uint64_t version, const shipopt_cache_options *options);
/*
 * Restarts an entry's TTL from now. It works for "not found" entries and for entries that had no TTL. The soft TTL
 * keeps its distance from the end. Returns 1, or 0 if the key is absent. SHIPOPT_EINVAL if `ttl_ms` is below 1.
 */
SHIPOPT_API int shipopt_cache_touch(shipopt_cache *cache, const void *key, size_t key_length, int64_t ttl_ms);

/* ---- loading ----------------------------------------------------------------------------------------------- */

/*
 * Single flight: of all callers that want an absent key at the same time, one loads it, and the others wait for the
 * result.
 *
 * The caller that loads (the leader) gets a token, shipopt_load. It must answer the token exactly once, on any thread,
 * with shipopt_load_complete(), _not_found(), _fail() or _abandon(). The answer consumes the token, whatever it
 * returns; only SHIPOPT_EINVAL leaves it valid. The token keeps the cache, so it may be answered after
 * shipopt_cache_free().
 *
 * Nothing is locked during a load. Other keys, eviction, and even puts and removals of the same key go on. Each waiting
 * caller has its own time limit (shipopt_cache_options_set_timeout_ms(), or else load_timeout_ms). It ends the wait,
 * not the load. If the leader abandons the token, one of the waiting callers becomes the leader.
 *
 * If the key is removed or invalidated during its load, the result is delivered to the callers already waiting, but not
 * stored. A caller that asks after the invalidation begins another load. Name the tags in the options of the question,
 * not only in those of the answer: then the invalidation of other tags does not affect the load.
 */
typedef struct shipopt_load shipopt_load;

/* Return the key to load, which is not NUL-terminated. It is borrowed until the answer. */
SHIPOPT_API const void *shipopt_load_key(const shipopt_load *load);
SHIPOPT_API size_t shipopt_load_key_length(const shipopt_load *load);
/*
 * Answers with a value, which is copied and stored. `options` NULL: those of the question. A value that is too large to
 * be stored is still delivered to the waiting callers. SHIPOPT_ENOMEM, SHIPOPT_EAGAIN (tags_max): the load has then
 * failed with that code.
 */
SHIPOPT_API int shipopt_load_complete(shipopt_load *load, const void *value, size_t value_length,
	const shipopt_cache_options *options);
/* Answers that the key has no value, which is stored as well. `options` NULL: not_found_ttl_ms and the tags of the
 * question. Errors of shipopt_load_complete(). */
SHIPOPT_API int shipopt_load_not_found(shipopt_load *load, const shipopt_cache_options *options);
/*
 * Answers with a failure. All waiting callers, and those that ask within error_backoff_ms, get `status` and `message`.
 * `status` is negative; other values count as SHIPOPT_EINVAL. `message` is copied and may be NULL. Accepts NULL for
 * `load`.
 */
SHIPOPT_API void shipopt_load_fail(shipopt_load *load, int status, const char *message);
/* Gives the load up. One of the waiting callers becomes the leader, or else the next caller that asks. Accepts NULL. */
SHIPOPT_API void shipopt_load_abandon(shipopt_load *load);

/*
 * Loads one key. Returns 0 if it has answered the token or will answer it, on any thread. Returns a negative code if
 * the load failed; the library then answers the token with that code, unless the answer itself had returned it. The
 * loader may call the cache for other keys.
 */
typedef int (*shipopt_cache_load_fn)(void *userdata, shipopt_load *load);
/*
 * Looks a key up and loads it if it is absent. `load` runs on this thread, or on that of the caller that leads. The
 * call returns when the token is answered, also if that happens later and on another thread.
 *
 * Returns FOUND (also for a value just loaded), STALE or NOT_FOUND, as shipopt_cache_get() does, or the code of the
 * failed load, also of one in its back-off.
 *
 * A stale value is refreshed by `load`. If the cache has a runtime, every caller gets the stale value at once, and
 * `load` runs as a task of the runtime. `load` and `userdata` must then stay valid until the token is answered, which
 * may be after this call has returned. In such a task `load` must not wait for an operation; it may start one and
 * answer in its callback.
 *
 * Without a runtime, after its close, or with shipopt_cache_options_set_background(options, 0), one caller performs the
 * refresh in its call. It gets the new outcome (FOUND or NOT_FOUND), and all others get the stale value. If the refresh
 * fails or is backing off, that caller gets the stale value as well.
 *
 * Errors:
 *
 *   the code of a failed load
 *   SHIPOPT_ETIMEDOUT   the wait was longer than its time limit
 *   SHIPOPT_ECANCELED   `load` abandoned the token and returned 0
 *   SHIPOPT_EDEADLK     this thread is loading this key
 *   SHIPOPT_EAGAIN      loads_max loads are in flight, or tags_max tags are in use
 */
SHIPOPT_API int shipopt_cache_get_or_load(shipopt_cache *cache, const void *key, size_t key_length,
	shipopt_cache_load_fn load, void *userdata, const shipopt_cache_options *options, shipopt_value **ret_value,
	shipopt_error **ret_error);

/*
 * Called once when a wait ends. `outcome` is:
 *
 *   FOUND       with `value`
 *   NOT_FOUND
 *   LEAD        with `load`: the leader abandoned the token, and this caller must answer it now
 *   negative    the code of the failed load, with `error` (NULL if memory was short), or SHIPOPT_ETIMEDOUT
 *
 * What an outcome does not bring is NULL. `value` and `error` are borrowed for the call. The callback runs on the
 * thread that answered or abandoned the token, called shipopt_cache_maintain(), or is a scheduler thread of the cache's
 * runtime. No lock is held, and the callback may call the cache. It may run before shipopt_cache_get_or_begin() has
 * returned.
 */
typedef void (*shipopt_cache_ready_fn)(void *userdata, int outcome, shipopt_value *value, shipopt_load *load,
	const shipopt_error *error);
/*
 * Looks a key up and begins a load if it is absent, without blocking. Returns:
 *
 *   FOUND       *ret_value is set; *ret_load is NULL
 *   STALE       *ret_value is set. If *ret_load is not NULL, the caller must also refresh the value and answer that
 *               token
 *   NOT_FOUND
 *   LEAD        *ret_load is set: the caller must answer it, even if nobody else waits
 *   WAITING     `ready` will be called
 *
 * `ready` and both outputs are required. Time limits of waits are checked by shipopt_cache_maintain(), and in the
 * background if the cache has a runtime.
 *
 * Errors: the code of a failed load in its back-off; SHIPOPT_EAGAIN if loads_max loads are in flight or tags_max tags
 * are in use.
 */
SHIPOPT_API int shipopt_cache_get_or_begin(shipopt_cache *cache, const void *key, size_t key_length,
	const shipopt_cache_options *options, shipopt_cache_ready_fn ready, void *userdata, shipopt_value **ret_value,
	shipopt_load **ret_load);

/* Loads a key by answering `request`: see shipopt_cache_get_or_request(). */
typedef void (*shipopt_cache_ask_fn)(void *userdata, shipopt_request *request);
/*
 * Like shipopt_cache_get_or_load(), but posts the load as a SHIPOPT_EVENT_REQUEST to the queue of the cache
 * (shipopt_cache_config_set_queue()). Use it when the loader must not run on the reading thread, as in language
 * bindings.
 *
 * The event's userdata is `userdata`. `ask` is called with the request by shipopt_queue_dispatch(); pass NULL if the
 * queue is polled. shipopt_request_key() and _key_length() are the key. Answer with shipopt_request_load_complete(),
 * shipopt_request_load_not_found() or shipopt_request_fail(). The load waits for the answer without a time limit, also
 * after the event was released.
 *
 * If the value is stale, the call returns it at once and requests the refresh. Otherwise the call blocks until the
 * answer or its time limit. It does not dispatch the queue, so another thread must take the event.
 *
 * Returns and errors of shipopt_cache_get_or_load(), and: SHIPOPT_EINVAL if the cache has no queue, SHIPOPT_EDEADLK
 * inside shipopt_queue_dispatch() of that queue, SHIPOPT_EAGAIN if the queue has no free slot.
 */
SHIPOPT_API int shipopt_cache_get_or_request(shipopt_cache *cache, const void *key, size_t key_length,
	shipopt_cache_ask_fn ask, void *userdata, const shipopt_cache_options *options, shipopt_value **ret_value,
	shipopt_error **ret_error);
/*
 * Answer a request of shipopt_cache_get_or_request() as shipopt_load_complete() and shipopt_load_not_found() do, and
 * consume it. SHIPOPT_EINVAL for a request of another kind, which is not consumed.
 */
SHIPOPT_API int shipopt_request_load_complete(shipopt_request *request, const void *value, size_t value_length,
	const shipopt_cache_options *options);
SHIPOPT_API int shipopt_request_load_not_found(shipopt_request *request, const shipopt_cache_options *options);

/* Loads many keys. Each token of `loads` must be answered, as for shipopt_cache_load_fn. A negative result fails the
 * tokens not yet answered. The array is borrowed for the call. */
typedef int (*shipopt_cache_load_many_fn)(void *userdata, shipopt_load *const *loads, size_t count);
/*
 * shipopt_cache_get_or_load() for `count` keys. `load` is called at most once, with the keys that this caller leads.
 * Then the call waits for the keys that others load; the time limit holds for each key. Stale values are returned and
 * not refreshed. ret_outcomes[i] is an outcome or a negative code, ret_values[i] a handle or NULL. Returns the number
 * of values.
 */
SHIPOPT_API int shipopt_cache_get_or_load_many(shipopt_cache *cache, size_t count, const void *const *keys,
	const size_t *key_lengths, shipopt_cache_load_many_fn load, void *userdata,
	const shipopt_cache_options *options, int *ret_outcomes, shipopt_value **ret_values);
/*
 * Fills a cache: loads those of `count` keys that are absent. With a runtime the loads run in parallel on its workers
 * and on this thread; the call returns when all have ended. A failed load does not stop it. Each answer may set a TTL
 * in its options. Returns the number of keys that are FOUND or NOT_FOUND afterwards. Errors of
 * shipopt_runtime_parallel_for().
 *
 * To fill a cache from a database see <shipopt/warm.h>.
 */
SHIPOPT_API int shipopt_cache_warm(shipopt_cache *cache, size_t count, const void *const *keys,
	const size_t *key_lengths, shipopt_cache_load_fn load, void *userdata, const shipopt_cache_options *options);

/* ---- removing ---------------------------------------------------------------------------------------------- */

/* Removes an entry, also a "not found" one. A load of the key in flight is not stored, and later callers do not wait
 * for it. Returns 1, or 0 if the key was absent. */
SHIPOPT_API int shipopt_cache_remove(shipopt_cache *cache, const void *key, size_t key_length);
/* Invalidates all entries with a tag, in constant time. Returns 0, also if no entry has the tag. SHIPOPT_EINVAL if the
 * tag is empty or longer than 255 bytes. */
SHIPOPT_API int shipopt_cache_remove_tag(shipopt_cache *cache, const char *tag);
/* Invalidates all entries whose key begins with `prefix`. A registered prefix takes constant time. Another one takes as
 * long as shipopt_cache_remove_pattern(). */
SHIPOPT_API int shipopt_cache_remove_prefix(shipopt_cache *cache, const char *prefix);
/*
 * Removes all entries whose key matches. "*" matches any bytes, "?" one byte, and a backslash makes the next byte
 * literal. The call walks through the whole cache, a few hundred entries at a time, and locks one part of the cache for
 * no longer than one such step. Entries written after the call began stay. *ret_removed (may be NULL) is the number of
 * entries removed.
 */
SHIPOPT_API int shipopt_cache_remove_pattern(shipopt_cache *cache, const char *pattern, uint64_t *ret_removed);
/* Invalidates all entries, in constant time. */
SHIPOPT_API int shipopt_cache_clear(shipopt_cache *cache);
/* Frees the memory of expired and invalidated entries, and ends waits whose time limit is over. Use it for caches
 * without a runtime that are rarely written to. It takes time in proportion to the number of entries. */
SHIPOPT_API int shipopt_cache_maintain(shipopt_cache *cache);

/* ---- visiting ---------------------------------------------------------------------------------------------- */

/* Called for one entry. `value` is borrowed for the call. The callback may call the cache. A result other than 0 ends
 * the visit. */
typedef int (*shipopt_cache_visit_fn)(void *userdata, shipopt_value *value);
/*
 * Visits entries that have a value, at most `limit` (0: all), in no particular order. Other threads may write at the
 * same time: an entry that stays in the cache is visited once. A visit does not count as a read. Returns the number of
 * entries visited, at most INT_MAX.
 */
SHIPOPT_API int shipopt_cache_visit(shipopt_cache *cache, size_t limit, shipopt_cache_visit_fn visit, void *userdata);
/* The same, with the most used entries first. "s3fifo" knows four levels of use; "lru" knows the order in each part of
 * the cache. */
SHIPOPT_API int shipopt_cache_visit_hottest(shipopt_cache *cache, size_t limit, shipopt_cache_visit_fn visit,
	void *userdata);

/* ---- statistics -------------------------------------------------------------------------------------------- */

enum {
	SHIPOPT_CACHE_STAT_ENTRIES = 1, /* including dead ones whose memory was not freed yet */
	SHIPOPT_CACHE_STAT_BYTES = 2,
	SHIPOPT_CACHE_STAT_HELD_BYTES = 3,  /* removed entries whose handles are still held */
	SHIPOPT_CACHE_STAT_LIMBO_BYTES = 4, /* removed entries that wait to be freed */
	SHIPOPT_CACHE_STAT_INDEX_BYTES = 5, /* index, and keys remembered after eviction */
	SHIPOPT_CACHE_STAT_SHARDS = 6,
	SHIPOPT_CACHE_STAT_TAGS = 7,
	SHIPOPT_CACHE_STAT_HITS = 10, /* with a value, stale ones included */
	SHIPOPT_CACHE_STAT_STALE_HITS = 11,
	SHIPOPT_CACHE_STAT_NOT_FOUND_HITS = 12,
	SHIPOPT_CACHE_STAT_MISSES = 13,
	SHIPOPT_CACHE_STAT_LOADS = 14,
	SHIPOPT_CACHE_STAT_LOAD_FAILURES = 15,
	SHIPOPT_CACHE_STAT_COALESCED = 16, /* callers that waited for another caller's load */
	SHIPOPT_CACHE_STAT_REFUSED = 17,   /* values that were too large */
	SHIPOPT_CACHE_STAT_STORED = 18,
	SHIPOPT_CACHE_STAT_LOADS_DROPPED = 19, /* results not stored, because the key was removed or invalidated */
	SHIPOPT_CACHE_STAT_EXPIRED = 20,       /* from here on: entries removed, by cause */
	SHIPOPT_CACHE_STAT_EVICTED = 21,
	SHIPOPT_CACHE_STAT_REPLACED = 22,
	SHIPOPT_CACHE_STAT_REMOVED = 23,
	SHIPOPT_CACHE_STAT_INVALIDATED = 24,
	SHIPOPT_CACHE_STAT_EXPIRED_BYTES = 30, /* from here on: the bytes of these entries */
	SHIPOPT_CACHE_STAT_EVICTED_BYTES = 31,
	SHIPOPT_CACHE_STAT_REPLACED_BYTES = 32,
	SHIPOPT_CACHE_STAT_REMOVED_BYTES = 33,
	SHIPOPT_CACHE_STAT_INVALIDATED_BYTES = 34
};
/* Reads a counter or a gauge, without stopping other threads. SHIPOPT_EINVAL for an unknown one. */
SHIPOPT_API int shipopt_cache_stat(shipopt_cache *cache, int stat, int64_t *ret_value);

/* ---- scopes ------------------------------------------------------------------------------------------------ */

/*
 * A scope: a view of a cache for the time of one request of the application. What the scope has read once it returns
 * again by itself, without touching memory that threads share. Values put into a scope are visible in that scope only.
 *
 * One thread at a time may use a scope. Pointers that it returns stay valid until shipopt_scope_free(), whatever
 * happens to the cache.
 */
typedef struct shipopt_scope shipopt_scope;
/* Creates a scope that remembers up to `entries_max` values (0: 256). `cache` may be NULL: then the scope has only the
 * values put into it. The scope keeps the cache alive. The caller frees it with shipopt_scope_free(). Since 0.2. */
SHIPOPT_API int shipopt_scope_new(shipopt_cache *cache, size_t entries_max, shipopt_scope **ret_scope);
/* Frees the scope and ends the validity of its pointers. Accepts NULL. Since 0.2. */
SHIPOPT_API void shipopt_scope_free(shipopt_scope *scope);
/*
 * Looks a key up in the scope, then in the cache. Returns what shipopt_cache_get() returns; FOUND for a value that was
 * read before. *ret_value and *ret_value_length are set with FOUND and STALE. Absence is not remembered.
 * SHIPOPT_ETOOLARGE if the scope is full: read the cache itself then.
 */
SHIPOPT_API int shipopt_scope_get(shipopt_scope *scope, const void *key, size_t key_length, const void **ret_value,
	size_t *ret_value_length);
/* Stores a copy in the scope alone. SHIPOPT_ESTATE if the scope has a value for the key, because what it has returned
 * does not change. SHIPOPT_ETOOLARGE if it is full. */
SHIPOPT_API int shipopt_scope_put(shipopt_scope *scope, const void *key, size_t key_length, const void *value,
	size_t value_length);

/* ---- memos ------------------------------------------------------------------------------------------------- */

/*
 * A memo: a function whose results are cached. The key is made of the memo's name and the arguments, each with its
 * length, so that different lists of arguments never have the same key. A key function replaces that.
 */
typedef struct shipopt_memo shipopt_memo;
/* Writes the key for some arguments, at most `size` bytes, and returns its length. SHIPOPT_EINVAL is the result of the
 * call for 0 and for more than `size`. */
typedef size_t (*shipopt_memo_key_fn)(void *userdata, const char *const *arguments, size_t argument_count, char *key,
	size_t size);
/* Computes the result and answers the token, as shipopt_cache_load_fn does. The arguments are borrowed for the call. */
typedef int (
	*shipopt_memo_call_fn)(void *userdata, const char *const *arguments, size_t argument_count, shipopt_load *load);
/* Creates a memo with a name of 1 to 256 bytes. `key` may be NULL. The memo keeps the cache alive. The caller frees it
 * with shipopt_memo_free(). */
SHIPOPT_API int shipopt_memo_new(shipopt_cache *cache, const char *name, shipopt_memo_call_fn call,
	shipopt_memo_key_fn key, void *userdata, const shipopt_cache_options *options, shipopt_memo **ret_memo);
/* Frees a memo. Its results stay in the cache. No call on it may be running. Accepts NULL. */
SHIPOPT_API void shipopt_memo_free(shipopt_memo *memo);
/*
 * Returns a result from the cache, or computes it with `call`. An argument may be NULL, which is not the same as "".
 * Outcomes and errors of shipopt_cache_get_or_load(); SHIPOPT_ETOOLARGE for a key of more than 4,096 bytes. A stale
 * result is refreshed in the call.
 */
SHIPOPT_API int shipopt_memo_call(shipopt_memo *memo, const char *const *arguments, size_t argument_count,
	shipopt_value **ret_value, shipopt_error **ret_error);
/* Removes the result for some arguments. Returns 1, or 0 if there was none. */
SHIPOPT_API int shipopt_memo_forget(shipopt_memo *memo, const char *const *arguments, size_t argument_count);
/* Removes all results of the memo. */
SHIPOPT_API int shipopt_memo_forget_all(shipopt_memo *memo);

/* ---- files ------------------------------------------------------------------------------------------------- */

/*
 * Writes all entries to a file. The file replaces the one at `path` when it is complete and synced. TTLs are stored as
 * what is left of them. The file is not encrypted: do not save a cache that holds secrets. *ret_count (may be NULL) is
 * the number of entries. SHIPOPT_EIO; the error names what failed.
 */
SHIPOPT_API int shipopt_cache_save(shipopt_cache *cache, const char *path, uint64_t *ret_count,
	shipopt_error **ret_error);
/*
 * Reads a file written by shipopt_cache_save(). The time since then counts against the TTLs. Entries that the cache
 * already has stay. *ret_count (may be NULL) is the number of entries stored. SHIPOPT_EPARSE if the file is truncated,
 * changed, or of another kind, and SHIPOPT_EUNSUPPORTED if it has another version: then nothing of it is stored.
 * SHIPOPT_EIO.
 */
SHIPOPT_API int shipopt_cache_restore(shipopt_cache *cache, const char *path, uint64_t *ret_count,
	shipopt_error **ret_error);

SHIPOPT_END_DECLS

#endif
