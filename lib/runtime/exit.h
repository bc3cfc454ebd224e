/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_EXIT_H
#define RUNTIME_EXIT_H

#include "base/list.h"

/*
 * What happens when the process ends while runtimes live: a hook of atexit() asks each to stop its reactors and waits
 * for them, at most 100 ms for all together, so that no reactor uses TLS or a host's objects while exit() takes them
 * down. Workers and side threads are left as they are: they sleep or run code of the host.
 *
 * OpenSSL is initialised before the hook is registered: handlers run backwards, so its own comes after ours.
 *
 * The list of live runtimes is also what tests wait on to see a runtime gone that ends by itself.
 */
struct exit_entry {
	struct list_node node;
	void (*stop)(struct exit_entry *entry); /* must not block */
	bool (*has_ended)(struct exit_entry *entry);
};

void exit_register(struct exit_entry *entry);
/* Also frees the memory that the entry lies in, so that whoever sees the list empty sees the memory given back. */
void exit_unregister(struct exit_entry *entry, void *memory);
/* Something that has_ended() looks at has changed. */
void exit_notify(void);
/* In a forked child: nothing is registered any more. */
void exit_forget_all(void);
/* Waits until nothing is registered. False when the time is over. For tests. */
bool exit_wait_empty(int64_t timeout_ms);

#endif
