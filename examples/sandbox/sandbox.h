/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <pthread.h>

#include "answer.h"
#include "count.h"
#include "delay.h"
#include "fault.h"
#include "registry.h"

/*
 * The state of the whole server, and one call on it.
 *
 * Two threads work on it: libmicrohttpd's, which reads requests and does the ones without latency, and the delay
 * thread, which does the others when their time has come. Both take `lock` around a call's work; nothing
 * below the server (routes, shipments, rates, trackers, addresses, counts) locks anything itself.
 *
 * A handler gets a `struct call` and fills its answer. It runs to its end at once: whatever takes time in a real
 * carrier is a delay before it.
 */
struct sandbox {
	pthread_mutex_t lock;
	struct random random;
	struct faults faults;
	double tokens; /* of the request limit */
	int64_t tokens_at_us;
	struct registry registry;
	struct table trackers_by_code;
	struct counts counts;
	uint64_t generation; /* goes up with every reset, so that what is late finds nothing */
	uint64_t tracking_number;
	struct delays *delays;
	char base_url[64]; /* of label files: "http://127.0.0.1:8080" */
};

struct call {
	struct sandbox *sandbox;
	char id[ID_TEXT_SIZE];  /* from the path, "" for none */
	struct json_value body; /* of the whole body; `has_body` false for an empty one */
	bool has_body;
	bool was_in_progress; /* purchase: another one was at work when this one arrived */
	struct answer *answer;
	const char *(*query)(const struct call *call, const char *name); /* NULL for absent */
	void *connection;
};

/* The member `name` of the body if it is an object that is not empty; answers 422 and returns false otherwise. */
bool call_object(struct call *call, const char *name, struct json_value *ret_value);
/* Out of memory inside the sandbox: a 500. */
void call_failed(struct call *call);
void call_created(struct call *call, const char *collection, const struct object *object); /* 201 and Location */
/* GET of a collection: objects of `kind`, newest first, that `accept` (may be NULL) takes. */
void call_list(struct call *call, enum object_kind kind, const char *key,
	bool (*accept)(const struct object *object, const struct call *call),
	void (*write)(const struct sandbox *sandbox, const struct object *object, struct json_writer *json));

#endif
