/* SPDX-License-Identifier: MIT */
#ifndef CACHE_FLIGHT_H
#define CACHE_FLIGHT_H

#include <pthread.h>

#include "base/error.h"
#include "cache/entry/pattern.h"
#include "cache/options.h"

/*
 * A flight: the load of one key, however many callers want it ("single flight").
 *
 * A flight is in its shard's table from the first caller's question to the answer. That caller is the leader: it has
 * the token (shipopt_load) and must answer it once. Later callers wait for the flight, each with its own deadline,
 * either blocked or with a callback (cache/flight/wait.h). The answer (cache/flight/answer.h) is an entry, "not found",
 * or an error. Everybody who waits gets it, whether it is stored or not. A leader that abandons the token hands it to a
 * waiter; with no waiter the flight ends. After a failure the flight may stay in the table and return its error for a
 * while (back-off).
 *
 * A flight's ticket is drawn before the load begins and becomes the ticket of the entry. So an invalidation during the
 * load makes the result invalid before it is stored (cache/entry/tag.h). Removing the key detaches the flight: later
 * callers do not find it and begin another, and its result is not stored. So does joining after an invalidation. A
 * detached flight stays listed as a stray until it is answered, because its waiters have deadlines. The tags in the
 * leader's options are known from the beginning. A flight without tags is not joined after the invalidation of any tag,
 * because the result may still bring that tag.
 *
 * Locks: the shard's lock protects the table, the ticket and the members next to it. The flight's own lock, taken
 * second, protects its state and its waiters. The application is called under neither. References: the table's, the
 * token's, and one for each waiter.
 */
enum flight_state { FLIGHT_RUNNING, FLIGHT_ABANDONED, FLIGHT_ANSWERED, FLIGHT_FAILED };
enum flight_listing { FLIGHT_UNLISTED, FLIGHT_JOINABLE, FLIGHT_STRAY };

/* The duty to answer. There is one token at a time; it holds a reference to the flight and one to the cache. */
struct shipopt_load {
	struct flight *flight;
};

struct flight {
	struct flight *next; /* the shard's lock protects the members from here to `ticket` */
	enum flight_listing listing;
	bool is_dropped; /* the result must not be stored */
	uint64_t ticket;
	atomic_uint references;
	shipopt_cache *cache;
	uint64_t hash;
	shipopt_cache_options
		options; /* of the caller that began the flight; the shard's lock protects the tags, which may grow */
	struct tag *tags[ENTRY_TAGS_MAX];
	struct shipopt_load load;
	pthread_mutex_t lock; /* protects the members from here to `retry_us` */
	pthread_cond_t changed;
	enum flight_state state;
	unsigned blocked;         /* callers asleep on `changed` */
	struct list_node waiters; /* with a callback */
	struct entry *result;     /* a reference; also of a "not found" entry */
	int status;               /* of a failure */
	shipopt_error *error;
	int64_t retry_us; /* end of the back-off, by the cache's clock */
	size_t key_length;
	char key[];
};

enum flight_role { FLIGHT_LEADS, FLIGHT_FOLLOWS, FLIGHT_BACKS_OFF, FLIGHT_NEEDLESS };

/*
 * Joins the flight of a key or begins one. With FLIGHT_LEADS the caller has the token flight->load. Every role except
 * NEEDLESS brings a reference to the flight. NEEDLESS: a value was stored in the meantime, so the caller must look
 * again. With `is_refresh` a stale value counts as none. SHIPOPT_EAGAIN if loads_max are in flight, SHIPOPT_ENOMEM,
 * errors of tags.
 */
int flight_join(shipopt_cache *cache, uint64_t hash, const void *key, size_t key_length, bool is_refresh,
	const shipopt_cache_options *options, struct flight **ret_flight, enum flight_role *ret_role);
void flight_unref(struct flight *flight);

/* Takes a flight that nobody leads over. The caller has set its state to RUNNING, and now has the token. */
void flight_take_over(struct flight *flight);
/* Draws a new ticket: what was invalidated before now does not concern the load that begins now. */
void flight_redraw(struct flight *flight);
/* The flight's result is not stored. It can still be joined. No lock may be held. */
void flight_drop(struct flight *flight);
/* Adds a tag that the leader learned during the load. If it was invalidated since the load began, or may have been, the
 * result is not stored. SHIPOPT_ETOOLARGE, SHIPOPT_EAGAIN (tags_max), SHIPOPT_ENOMEM: the result is then not stored. No
 * lock may be held. */
int flight_add_tag(struct flight *flight, const char *tag);
/* Whether its token is held by somebody. */
bool flight_is_running(struct flight *flight);

/* The functions below need the shard's lock. Detaching: later callers do not find the flight, and its result is not
 * stored. */
void flight_detach(struct shard *shard, uint64_t hash, const void *key, size_t key_length);
/* Detaches the flights that began before `ticket` and whose key matches. */
void flights_detach_matching(struct shard *shard, const struct pattern *pattern, uint64_t ticket);
/* Detaches one that is known. */
void flight_detach_this(struct shard *shard, struct flight *flight);
/* Whether it has failed, and whether its back-off is over. */
bool flight_is_backing_off(struct flight *flight, bool *ret_is_over);
/* Takes the flight out of the shard's lists. If it returns true the table's reference is the caller's. */
bool flight_unlist(struct shard *shard, struct flight *flight);
/* For a cache that is destroyed: only flights in their back-off can be left. */
void flights_close(struct shard *shard);

#endif
