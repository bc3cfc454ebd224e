/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_SQLITE_BACKEND_H
#define STORE_SQLITE_SQLITE_BACKEND_H

#include <pthread.h>

#include "store/backend.h"
#include "store/sqlite/database.h"

/*
 * The store in one SQLite file.
 *
 * Writes. The first write starts a thread, which has the only connection that writes. It takes waiting work from the
 * queue (at most `queue_max`) in groups of up to `group_max`, and runs each group as one transaction (writer.h). While
 * the disk works on one group, the next one gathers.
 *
 * Reads (lists and counts). They have a queue with the same bound and one connection. A task on the side pool empties
 * the queue, and runs only while something waits. With the write-ahead log, readers never wait for the writer. Reads
 * that are submitted before the file was opened run with the writes, on the writer's connection.
 *
 * The end. No more work is taken (SHIPOPT_ESHUTDOWN), both queues are finished, the connections are closed, and the
 * writer's thread is joined.
 */
enum sqlite_backend_state {
	SQLITE_BACKEND_RUNNING,
	SQLITE_BACKEND_CLOSING,
	SQLITE_BACKEND_ABANDONED /* closing, and the thread reports its end */
};

struct sqlite_backend {
	struct backend base;
	struct backend_options options;
	char *path, *confirm_mode;
	atomic_bool hurry;
	struct database writer; /* the writer thread's */
	struct database reader; /* of the thread that runs reader_task */

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t changed;
	struct task_list writes, reads;
	pthread_t thread;
	bool has_thread;
	bool is_open;    /* the writer has opened the file once */
	bool is_reading; /* reader_task is queued or runs */
	enum sqlite_backend_state state;
	struct task reader_task;
};

/* Runs the reads that wait; on the side pool. */
void reader_run(struct task *task);

#endif
