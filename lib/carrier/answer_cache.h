/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_ANSWER_CACHE_H
#define CARRIER_ANSWER_CACHE_H

#include "carrier/exchange.h"

/*
 * Which of a carrier's answers are cached, under which keys and tags, and which of them a write invalidates.
 *
 * Keys: "easypost:IDENTITY:/trackers/trk_1" for reads, "easypost:IDENTITY:quote:DIGEST" for quotes, and
 * "easypost:IDENTITY:tracker:DIGEST" for trackers by their code, because POST /trackers gives the same tracker for the
 * same code. The identity is a digest of base URL and credential, so that two accounts, or test and production, never
 * share an answer. The credential cannot be computed from it. A value is the body of an answer with HTTP status 200, as
 * it came. A 404 with the API's own error is a "not found" entry, which has the carrier's code.
 *
 * Three kinds of answers are not cached. Any other status. An answer to a path with empty or dot segments, which may
 * name another object than it seems to. An answer that the provider calls open: a shipment without postage, because a
 * purchase could depend on it.
 *
 * Tags: the identity ("easypost:IDENTITY") and the object ("trackers/trk_1"). The object is named by the id of the path
 * and by the id in the answer, which differ if the path has a reference. A list has the tag of its collection
 * ("trackers"). Quotes have "quotes". A "not found" entry has the tag of its collection too, because a new object may
 * have the reference that was not found.
 *
 * A write that may have reached the carrier invalidates, when it is over: the object that it names or returns, and the
 * lists of its collection. It invalidates all answers of the account if it may have changed more. That is so if its
 * outcome is unknown, or if it writes to something that contains other objects (an order, a batch, a refund). Loads in
 * flight are then not stored.
 */
#define ANSWER_IDENTITY_SIZE 64
#define ANSWER_CODE_BYTES_MAX 128 /* of the carrier's code in a "not found" entry */
#define ANSWER_KEY_SIZE (ANSWER_IDENTITY_SIZE + CALL_PATH_BYTES_MAX + 1)

/*
 * Takes references to the tags of the lists, for as long as a client uses the cache, and returns their number. Without
 * a record, the invalidation of a tag counts for every load in flight that learns its object's tag from the answer:
 * each new tracker would drop the answers of all others that are being made. Out of memory, fewer are held.
 */
size_t answer_hold_collections(shipopt_cache *cache, struct tag *ret_tags[ANSWER_COLLECTIONS]);

/* Computes the identity of a credential at a base URL. */
int answer_identity(const struct provider *provider, const char *base_url, const char *authorization,
	char ret_identity[ANSWER_IDENTITY_SIZE]);

/* What a call asks for. */
struct answer_question {
	const char *identity;
	const char *path; /* of a read */
	const char *
		content; /* of a write that is answered like a read: the digest of what its answer depends on; else NULL */
};

/* How long an answer is cached; 0: not at all. */
int64_t answer_ttl_ms(const shipopt_carrier *carrier, const struct answer_question *question);
/* Writes the key and returns its length. */
size_t answer_key(const struct answer_question *question, char ret_key[ANSWER_KEY_SIZE]);
void answer_options(const shipopt_carrier *carrier, const struct answer_question *question,
	struct shipopt_cache_options *ret_options);

/* Completes a load with the result of the exchange. Consumes the load. */
void answer_store(shipopt_load *load, const struct provider *provider, const struct answer_question *question,
	const struct exchange *exchange);
/* Abandons a load, so that a waiting call leads. Does not nest, unlike shipopt_load_abandon(), if that one abandons it
 * at once. */
void answer_pass_on(shipopt_load *load);
/* A write is over: invalidates what it may have changed. */
void answer_invalidate(const shipopt_carrier *carrier, const struct exchange *exchange);
/* The same for a write whose answer `load` may store (may be NULL): the answer itself stays valid. */
void answer_invalidate_others(const shipopt_carrier *carrier, const struct exchange *exchange, shipopt_load *load);

#endif
