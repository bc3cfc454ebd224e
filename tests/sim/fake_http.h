/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SIM_FAKE_HTTP_H
#define TESTS_SIM_FAKE_HTTP_H

#include "http/http.h"
#include "world.h"

/*
 * The functions of lib/http/http.h over a world in memory (world.h) in place of a network.
 *
 * A test program that is linked with this file has every symbol of the engine itself, so the library's engine is not
 * taken from the archive. The contract is the engine's: `done` runs from a timer of the reactor, never from inside
 * http_send() or http_cancel(); a canceled or timed out request that had left says HTTP_MAYBE_SENT; allocations pass
 * the library's fault points. Requests to `fake_http_world`, one for the program.
 */
extern struct world *fake_http_world;
/* Changes an answer that came whole before the client gets it; NULL: it stays as the world gave it. */
extern void (*fake_http_edit)(const struct world_visit *visit, struct http_request *request);

#endif
