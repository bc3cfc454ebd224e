/* SPDX-License-Identifier: MIT */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>

/*
 * Fault points: places where a call into the system or another library can be made to fail, one at a time.
 *
 * `fault_point()` is written in front of each thread creation, socket, libcurl, libpq and SQLite call whose
 * failure has a path of its own; allocations pass one inside memory.c. A test arms the counter with the number
 * of points to let pass; the next one fails, once. Running the same scenario with 0, 1, 2, … until the counter
 * no longer fires walks every failure path (the idea of nghttp2's failmalloc and curl's torture tests).
 * Without -Dfaults=true the whole thing is the constant false.
 */
#ifdef SHIPOPT_FAULTS
bool fault_point(void);
/* Fails the point after `passes` passed ones, once; a negative number disarms. Returns nothing, resets the count. */
void fault_arm(long passes);
/* How many points were passed since the last fault_arm(). */
long fault_count(void);
/* True if the armed fault has fired. */
bool fault_fired(void);
#else
#define fault_point() false
#endif

#endif
