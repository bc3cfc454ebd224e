/* SPDX-License-Identifier: MIT */
#ifndef CACHE_FLIGHT_ANSWER_H
#define CACHE_FLIGHT_ANSWER_H

#include "cache/flight/flight.h"

/*
 * Answering a flight. Each function consumes the token: the reference to the flight and the one to the cache that come
 * with it.
 *
 * The table is updated first, so that no caller joins a flight with an answer. Then everybody who waits is woken.
 */

/* Answers with an entry made with the flight's ticket, and consumes it. It is stored unless the flight was dropped. */
void flight_complete(struct flight *flight, struct entry *entry);
/* Answers with a failure, and consumes `error`, which may be NULL. */
void flight_fail(struct flight *flight, int status, shipopt_error *error);
/* Gives the token to a waiter, or leaves the flight to the first blocked caller that wakes up. */
void flight_abandon(struct flight *flight);

#endif
