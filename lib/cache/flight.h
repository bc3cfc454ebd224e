/* SPDX-License-Identifier: MIT */
#ifndef CACHE_FLIGHT_H
#define CACHE_FLIGHT_H

#include <pthread.h>

#include "base/error.h"
#include "cache/options.h"
#include "cache/pattern.h"

/*
 * Single flight: one load of a key at a time, whoever asks.
 *
 * A flight stands in its shard's table from the first caller's question to the answer. That caller leads: it holds the token
 * (shipopt_load) and must answer it, once; others who ask for the key meanwhile wait for the flight, each with a deadline
 * of its own: blocked, or with a callback. An answer is an entry (stored or not, it is handed to all who wait), "no such
 * thing", or an error. A leader that gives up hands the token to one who waits; the flight ends when nobody does. After a failure the
 * flight may stay for a while and answer with the error (back-off).
 *
 * The flight's ticket is drawn before the load begins and becomes the ticket of the entry, so whatever is invalidated
 * meanwhile makes the result dead before it is stored (cache/tag.h). Removing the key, and joining after an
 * invalidation, detach the flight: later callers do not find it and begin another, and its result is not stored; it stays listed, as
 * a stray, until it is answered, because those who wait for it have time limits. Tags that the leader's
 * options name are known from the beginning; without any, a flight is not joined after the invalidation of any tag, as
 * the result may yet bring it.
 *
 * Locks: `shard` lock for the table and the flags that belong to it, then the flight's own for its waiters and state. Host code is
 * called under neither. References: the table's, the token's, one for each waiter.
 */
enum flight_state { FLIGHT_RUNNING, FLIGHT_ORPHANED, FLIGHT_DONE, FLIGHT_FAILED };

/* The right and duty to answer. One at a time; it holds a reference to the flight and to the cache. */
struct shipopt_load {
	struct flight *flight;
};

struct flight {
	struct flight *next; /* in the shard's bucket, or among the strays; shard's lock, as the next three */
	bool is_listed;
	bool is_detached;
	bool is_stray;
	atomic_uint references;
	shipopt_cache *cache;
	uint64_t hash;
	uint64_t ticket;               /* shard's lock */
	shipopt_cache_options options; /* of the one who began it */
	struct tag *tags[ENTRY_TAGS_MAX];
	struct shipopt_load load;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum flight_state state;  /* from here on: the flight's own lock */
	unsigned blocked;         /* callers asleep on `changed` */
	struct list_node waiters; /* those with a callback */
	struct entry *result;     /* a reference; of a negative one, too */
	int status;               /* of a failure */
	shipopt_error *error;
	int64_t retry_us; /* end of the back-off, of the cache's clock */
	size_t key_length;
	char key[];
};

enum flight_role { FLIGHT_LEADS, FLIGHT_FOLLOWS, FLIGHT_BACKS_OFF, FLIGHT_NEEDLESS };

/*
 * Joins the flight of a key or begins one; FLIGHT_LEADS brings the token flight->load. Each role but NEEDLESS brings a reference to the
 * flight. NEEDLESS: a value has come meanwhile; look again. With `is_refresh` a stale value counts as none. SHIPOPT_EAGAIN when loads_max
 * are in flight, SHIPOPT_ENOMEM, the errors of tags.
 */
int flight_join(shipopt_cache *cache, uint64_t hash, const void *key, size_t key_length, bool is_refresh,
	const shipopt_cache_options *options, struct flight **ret_flight, enum flight_role *ret_role);
void flight_unref(struct flight *flight);

/* Sleeps until the answer or the time limit. 0: answered; 1: the caller leads now; SHIPOPT_ETIMEDOUT. */
int flight_wait(struct flight *flight, int64_t timeout_ms);
/* The answer of a flight that has one: FOUND or NEGATIVE with a reference in *ret_entry, or the failure. */
int flight_result(struct flight *flight, struct entry **ret_entry, shipopt_error **ret_error);
/* Calls `ready` when there is an answer: SHIPOPT_CACHE_WAITING. 0: there is one already; SHIPOPT_CACHE_LEAD: the caller leads
 * now; SHIPOPT_ENOMEM. */
int flight_watch(struct flight *flight, shipopt_cache_ready_fn ready, void *userdata, int64_t timeout_ms,
	bool takes_words);

/* How a token is answered; these consume it. `entry` (made with the flight's ticket) is consumed, too; it is stored if it may be. */
void flight_complete(struct flight *flight, struct entry *entry);
void flight_fail(struct flight *flight, int status, shipopt_error *error);
void flight_abandon(struct flight *flight);

/* Under the shard's lock: later callers do not find the flight, its result is not stored. */
void flight_detach(struct shard *shard, uint64_t hash, const void *key, size_t key_length);
/* Those that began before `ticket`. */
void flights_detach_matching(struct shard *shard, const struct pattern *pattern, uint64_t ticket);
/* Its result is not stored, but it can be joined. No lock held. */
void flight_drop(struct flight *flight);
/* Its token is out. */
bool flight_is_running(struct flight *flight);
/* Ends waiting and back-offs that are out of time. Returns the next deadline of a waiter, of the cache's clock, or ENTRY_NEVER. No
 * lock held. */
int64_t flights_maintain(shipopt_cache *cache);
/* The cache ends; all that can be left are back-offs. */
void flights_close(struct shard *shard);

#endif
