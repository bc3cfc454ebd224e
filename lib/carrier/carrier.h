/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_CARRIER_H
#define CARRIER_CARRIER_H

#include <shipopt/carrier.h>
#include <stdatomic.h>

#include "base/reference.h"
#include "carrier/call_group.h"
#include "carrier/carrier_log.h"
#include "carrier/closure.h"
#include "carrier/health.h"
#include "carrier/provider.h"
#include "config/tables.h"
#include "http/http.h"
#include "lane/lane.h"
#include "runtime/runtime.h"

/*
 * The inside of a carrier client.
 *
 * A client lives on one reactor. Its HTTP engine, lane, health table, log and exchanges are used on that thread only.
 * `settings`, the texts and the provider never change after creation. `pending` and `stats` are atomics. The
 * application, executors and every exchange under way hold references. When the last one goes, a task on the reactor
 * frees the engine and the lane, which must end on their own thread, and a worker frees the rest. If the runtime closes
 * first, `stop` has done the reactor's part.
 */
#define ANSWER_COLLECTIONS 6

struct shipopt_carrier_config {
	struct settings settings;
	struct delivery delivery; /* holds a queue reference */
	shipopt_cache *cache;     /* a reference, or NULL */
};

struct shipopt_carrier {
	struct reference reference;
	shipopt_runtime *runtime;
	struct reactor *reactor;
	struct settings settings;
	struct delivery delivery;
	const struct provider *provider;
	const char *mode;                          /* test or production; static */
	char *authorization;                       /* header value; secret */
	struct secret_forms secrets;               /* that credential as answers may repeat it */
	char *base_url;                            /* without a trailing slash */
	shipopt_cache *cache;                      /* a reference, or NULL: answers are not cached */
	struct tag *list_tags[ANSWER_COLLECTIONS]; /* in that cache: answer_hold_collections() */
	size_t list_tag_count;
	char identity[64]; /* of base URL and credential in the cache; carrier/answer_cache.h */

	struct http_engine *engine;
	struct lane *lane;
	struct health health;
	struct closures closures;
	/* Answers of the API itself at the client's base URL: valid ones, and errors in the API's own envelope. */
	uint64_t answers;
	struct list_node exchanges; /* under way */
	struct list_node waiting;   /* calls that wait for another call's answer */
	bool is_closing;            /* all calls have been canceled, as the runtime closes */
	struct call_group single_calls;
	struct carrier_log log;

	atomic_size_t pending; /* calls taken and not finished */
	atomic_int_fast64_t stats[SHIPOPT_CARRIER_STAT_ANSWERS + 1];
	struct runtime_member member;
	struct task cancel_task, destroy_task;
};

shipopt_carrier *carrier_ref(shipopt_carrier *carrier);
void carrier_unref(shipopt_carrier *carrier); /* any thread */
/* Copies lane and engine numbers to where any thread may read them. Reactor thread. */
void carrier_publish_stats(shipopt_carrier *carrier);
/* Whether the host at the client's base URL has ever given an HTTP answer, with any status, to this client. Any
 * thread. */
bool carrier_was_reached(const shipopt_carrier *carrier);
/* "Bearer KEY", owned by the caller as a secret. NULL when out of memory. */
char *carrier_authorization(const char *api_key);
/* Makes the forms of a key for secret_blank(). A key must be visible ASCII and blanks, because a server could repeat
 * anything else in JSON in spellings that are not searched for. SHIPOPT_EINVAL, SHIPOPT_ENOMEM. */
int carrier_key_forms(const char *api_key, struct secret_forms *ret_forms, shipopt_error **ret_error);

#endif
