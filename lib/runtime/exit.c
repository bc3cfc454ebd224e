/* SPDX-License-Identifier: MIT */
#include "runtime/exit.h"

#include <openssl/crypto.h>
#include <pthread.h>

#include "base/memory.h"
#include "runtime/thread.h"

#define EXIT_WAIT_MS 100

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static struct list_node entries;

static bool exit_all_ended(void)
{
	LIST_FOREACH(node, &entries) {
		struct exit_entry *entry = LIST_MEMBER(node, struct exit_entry, node);
		if (!entry->has_ended(entry))
			return false;
	}
	return true;
}

static void exit_at_exit(void)
{
	int64_t deadline = condition_deadline(EXIT_WAIT_MS);
	pthread_mutex_lock(&lock);
	LIST_FOREACH(node, &entries) {
		struct exit_entry *entry = LIST_MEMBER(node, struct exit_entry, node);
		entry->stop(entry);
	}
	while (!exit_all_ended() && condition_wait(&changed, &lock, deadline))
		;
	pthread_mutex_unlock(&lock);
}

static void exit_install(void)
{
	list_init(&entries);
	condition_init(&changed);
	OPENSSL_init_crypto(0, NULL);
	atexit(exit_at_exit);
}

void exit_register(struct exit_entry *entry)
{
	pthread_once(&once, exit_install);
	pthread_mutex_lock(&lock);
	list_push_back(&entries, &entry->node);
	pthread_mutex_unlock(&lock);
}

void exit_unregister(struct exit_entry *entry, void *memory)
{
	pthread_mutex_lock(&lock);
	list_remove(&entry->node);
	mem_free(memory);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

void exit_notify(void)
{
	pthread_mutex_lock(&lock);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

void exit_forget_all(void)
{
	/* The parent's threads may have held the lock; here nobody does. */
	pthread_mutex_init(&lock, NULL);
	condition_init(&changed);
	list_init(&entries);
}

bool exit_wait_empty(int64_t timeout_ms)
{
	int64_t deadline = condition_deadline(timeout_ms);
	bool in_time = true;
	pthread_once(&once, exit_install);
	pthread_mutex_lock(&lock);
	while (!list_is_empty(&entries) && in_time)
		in_time = condition_wait(&changed, &lock, deadline);
	bool is_empty = list_is_empty(&entries);
	pthread_mutex_unlock(&lock);
	return is_empty;
}
