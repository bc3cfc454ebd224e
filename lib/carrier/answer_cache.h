/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_ANSWER_CACHE_H
#define CARRIER_ANSWER_CACHE_H

#include "carrier/exchange.h"

/*
 * What is kept of a carrier's answers in the host's cache, under which names, and what a write makes of it.
 *
 * Keys: "easypost:IDENTITY:/trackers/trk_1" for reads, "easypost:IDENTITY:quote:DIGEST" for quotes and
 * "easypost:IDENTITY:tracker:DIGEST" for trackers by their code (POST /trackers gives the same tracker for the same code). The
 * identity is a digest of base URL and credential, so that two accounts, or test and production, never share;
 * the credential cannot be had from it. A value is the body of an answer with HTTP status 200, as it came. A
 * 404 in the API's own words is a "not found" entry, which keeps the carrier's code. Nothing else is kept, nor an answer that the provider calls
 * open: a shipment without postage, by which somebody might decide on a purchase; nor one to a path with empty
 * or dot segments, which may mean another object than it seems to (a write to one kills all of the account).
 *
 * Tags: the identity ("easypost:IDENTITY"), and the object ("trackers/trk_1"), by the id of the path and by
 * that in the answer (they differ when a reference stands in for the id), or for a list its collection
 * ("trackers"). Quotes have "quotes". That there is no such object has its collection, too: what is made there
 * may have the reference that was asked for.
 *
 * A write that may have reached the carrier makes dead, once it is over: the object that it names or returns
 * and the lists of its collection; all of the account when it cannot be told what else it changed: its outcome
 * is unknown, or it is a write to something that stands for others (an order, a batch, a refund). Loads in
 * flight are not stored then.
 */
#define ANSWER_IDENTITY_SIZE 64
#define ANSWER_CODE_BYTES_MAX 128 /* of the carrier's code that is kept with a 404 */
#define ANSWER_KEY_SIZE (ANSWER_IDENTITY_SIZE + CALL_PATH_BYTES_MAX + 1)

/* A credential of `base_url` as a text to name it by. */
int answer_identity(const struct provider *provider, const char *base_url, const char *authorization,
	char ret_identity[ANSWER_IDENTITY_SIZE]);

/* What is asked. */
struct answer_question {
	const char *identity;
	const char *path; /* of a read */
	const char *
		content; /* of a write that is answered like a read: the digest of what its answer depends on; else NULL */
};

/* How long an answer is good; 0: not to be kept. */
int64_t answer_ttl_ms(const shipopt_carrier *carrier, const struct answer_question *question);
/* The length of the key. */
size_t answer_key(const struct answer_question *question, char ret_key[ANSWER_KEY_SIZE]);
void answer_options(const shipopt_carrier *carrier, const struct answer_question *question,
	struct shipopt_cache_options *ret_options);

/* Answers a load with what the exchange has brought. Consumes the load. */
void answer_keep(shipopt_load *load, const struct provider *provider, const struct answer_question *question,
	const struct exchange *exchange);
/* Gives a load up. Unlike shipopt_load_abandon() it does not nest when those told to lead give up at once. */
void answer_pass_on(shipopt_load *load);
/* A write is over: forgets what it may have changed. */
void answer_forget(const shipopt_carrier *carrier, const struct exchange *exchange);
/* The same for a write whose answer may be kept by `load` (may be NULL): the answer itself is not forgotten. */
void answer_forget_but(const shipopt_carrier *carrier, const struct exchange *exchange, shipopt_load *load);

#endif
