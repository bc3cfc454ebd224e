/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_SQLITE_BACKEND_H
#define STORE_SQLITE_SQLITE_BACKEND_H

#include <pthread.h>

#include "store/backend.h"
#include "store/sqlite/database.h"

/*
 * The store in one SQLite file.
 *
 * Writes: one thread of ours, started by the first of them, with the only connection that writes. It takes what waits in
 * the queue (at most `queue_max`) in groups of up to `group_max` and runs each group as one transaction (writer.h); while
 * the disk works on one group the next one gathers.
 *
 * Reads (lists and counts): a queue of the same bound and one connection, emptied by a task on the side pool that runs
 * only while something waits. Readers never wait for the writer: that is what the write-ahead log gives. Reads that come before
 * the file was opened run with the writes, on the writer's connection.
 *
 * Ending: no more is taken (SHIPOPT_ESHUTDOWN), both queues are finished, the connections are closed, the
 * writer's thread is joined.
 */
struct sqlite_backend {
	struct backend base;
	struct backend_options options;
	char *path, *confirm_mode;
	atomic_bool hurry;
	struct database writer; /* the writer thread's */
	struct database reader; /* whoever runs reader_task */

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t changed;
	struct task_list writes, reads;
	pthread_t thread;
	bool has_thread;
	bool is_open;    /* the writer has opened the file once */
	bool is_reading; /* reader_task is queued or runs */
	bool is_closing;
	bool is_abandoned; /* the thread says when it ends */
	struct task reader_task;
};

/* On the side pool: runs the reads that wait. */
void reader_run(struct task *task);

#endif
