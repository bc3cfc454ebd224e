/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SIM_ANSWER_EDITS_H
#define TESTS_SIM_ANSWER_EDITS_H

#include "fake_http.h"

/*
 * Answers of the world, changed on their way to the client: what a carrier may say and the world does not.
 *
 *	EDIT(WORLD_READ, "\"tracking_code\":", "\"was\":");    replaces text in every answer to a read
 *	EDIT_BODY(WORLD_BUY, 2, 422, "{…}");                   replaces the second answer to a purchase
 *
 * They are used in the order in which they were added, until edits_clear() or case_finish(). At most so many; texts are
 * borrowed.
 */
#define EDITS_MAX 8

struct answer_edit {
	enum world_call call;
	int occurrence;        /* of the call, from 1; 0: each */
	int http_status;       /* 0: as it is */
	const char *body;      /* NULL: as it is */
	const char *from, *to; /* `from` NULL: nothing is replaced */
};

#define EDIT(call_, from_, to_) edits_add(&(struct answer_edit){.call = (call_), .from = (from_), .to = (to_)})
#define EDIT_BODY(call_, occurrence_, status_, body_)    \
	edits_add(&(struct answer_edit){.call = (call_), \
		.occurrence = (occurrence_),             \
		.http_status = (status_),                \
		.body = (body_)})

void edits_add(const struct answer_edit *edit);
void edits_clear(void);
/* No answer shows that a shipment has postage. */
void edits_hide_labels(enum world_call call);

#endif
