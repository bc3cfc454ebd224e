/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_WRITER_H
#define STORE_SQLITE_WRITER_H

#include "store/sqlite/sqlite_backend.h"

/*
 * How the writer runs the work that it takes from the queue: group commit.
 *
 * Up to `group_max` pieces run in one BEGIN IMMEDIATE … COMMIT, in order, and complete after the COMMIT. A piece that
 * its own rules refuse has changed nothing, and does not affect the others. If the database or memory fails in the
 * middle of a group, the group is rolled back and each piece runs in its own transaction, so that only the piece that
 * cannot be done fails.
 *
 * A failed COMMIT leaves a question. Frames that are already in the log could become valid in a recovery after a crash,
 * because nothing after them says otherwise. So the writer commits a small change at once ("settle"), which takes the
 * place of those frames in the log. If that succeeds, the group is known not to be in the log: SHIPOPT_EDATABASE. After
 * a full disk the same is known, because the record that makes the frames valid is written last. Otherwise it is not
 * known: SHIPOPT_EINDOUBT. In both cases the error is that of the COMMIT.
 *
 * Before BEGIN, and again after COMMIT before anything completes, the files must be where they were opened
 * (database_check_place). If a commit went into files that other programs do not find, the group fails with
 * SHIPOPT_EDATABASE, although its rows may appear later. A purchase must not be sent because of such rows.
 */
void writer_run(struct sqlite_backend *backend, struct task_list *group);

/* Completes a piece of work with the result that is in it. It must not be used afterwards. */
void work_complete(struct backend_work *work);
/* Completes a piece of work with a failure. Takes its own reference to `error`. */
void work_fail(struct backend_work *work, int status, shipopt_error *error);

#endif
