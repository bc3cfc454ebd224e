/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_WRITER_H
#define STORE_SQLITE_WRITER_H

#include "store/sqlite/sqlite_backend.h"

/*
 * What the writer does with the work it takes from the queue: group commit.
 *
 * Up to `group_max` pieces run in one BEGIN IMMEDIATE … COMMIT, in order, and are completed after the
 * COMMIT. One that is refused by its own rules has changed nothing and does not matter to the others. When
 * the database or memory fails in the middle of a group, the group is rolled back and each piece runs in a
 * transaction of its own, so that only the one that cannot be done fails.
 *
 * A COMMIT that fails leaves a question: frames that were already in the log could come to life in a
 * recovery after a crash, because nothing behind them says otherwise. So a small change is committed at
 * once ("settle"): it takes the place of those frames in the log. If it gets through, the group is known
 * not to be there: SHIPOPT_EDATABASE. The same is known of a disk that was full, as the record that makes
 * the frames count is written last. Else nobody knows: SHIPOPT_EINDOUBT. Either way the error is that of
 * the COMMIT.
 *
 * Before BEGIN and again after COMMIT, before anything is completed, the files must be where they were
 * opened (database_check_place). A group whose commit went into files that others do not find fails with
 * SHIPOPT_EDATABASE, though its rows may turn up later: a purchase must not be sent on the strength of
 * them.
 */
void writer_run(struct sqlite_backend *backend, struct task_list *group);

/* Completes a piece of work with what is written in it. Nothing of it is touched afterwards. */
void work_complete(struct backend_work *work);
/* The same with a failure, which is shared: `error` is not consumed. */
void work_fail(struct backend_work *work, int status, shipopt_error *error);

#endif
