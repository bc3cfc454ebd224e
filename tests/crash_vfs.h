/* SPDX-License-Identifier: MIT */
#ifndef TESTS_CRASH_VFS_H
#define TESTS_CRASH_VFS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A disk that loses power: a SQLite VFS whose files live in memory twice.
 *
 * Each file has what the running system sees (its page cache) and what is on the medium. Writes and truncations change
 * the first and are noted as pending; xSync makes the pending ones of that file durable. kill -9 would not show the
 * difference: the page cache outlives a process.
 *
 * After `crash_vfs_arm(operations)` that many writes, truncations and syncs go well and the next one is where the power
 * fails: it and everything after it gives SQLITE_IOERR until `crash_vfs_restart`. A crash keeps of the pending changes
 * a random part, sector by sector (512 bytes), without regard to their order, as disks do; those of a sync that was cut
 * off count as pending.
 *
 * The shared memory of the write-ahead log is gone after a crash, as it would be. Deletions are durable at once. One
 * connection at a time: locks are always granted. Any thread; one mutex.
 */
#define CRASH_VFS_NAME "crash"

void crash_vfs_register(uint64_t seed);
void crash_vfs_arm(int64_t operations); /* negative: never */
bool crash_vfs_has_crashed(void);
/* Counted since the last arming. */
int64_t crash_vfs_operations(void);
int64_t crash_vfs_syncs(void);
/* The power is back: files are what the medium has. All connections must have been closed. */
void crash_vfs_restart(void);
/* Forgets all files. */
void crash_vfs_clear(void);

#endif
