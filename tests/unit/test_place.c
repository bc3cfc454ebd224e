/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#include <sys/mount.h>
#endif

#include "base/clock.h"
#include "base/memory.h"
#include "commit_vfs.h"
#include "runtime/runtime.h"
#include "store/sqlite/database.h"
#include "store_fixture.h"

/*
 * Stores whose files are not where others find them, and disks that take no more. Real files; mounts are
 * made in a name space of the test's own, which needs root.
 */
static struct store_fixture fixture;
static const char *own_path;
static bool has_mounts;

static int setup(void **state)
{
	store_fixture_init(&fixture, NULL);
	return 0;
}

static int teardown(void **state)
{
	store_fixture_done(&fixture);
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

/* --- helpers --- */

enum { PATH_SIZE = 160 };

/* `folder`/`name` */
static void path_join(char path[PATH_SIZE], const char *folder, const char *name)
{
	assert_in_range(snprintf(path, PATH_SIZE, "%s/%s", folder, name), 1, PATH_SIZE - 1);
}

/* The fixture's store is one at `path` from now on. */
static void reopen_at(const char *path)
{
	int length = snprintf(fixture.url, sizeof(fixture.url), "sqlite:%s", path);
	assert_in_range(length, 1, sizeof(fixture.url) - 1);
	store_fixture_reopen(&fixture);
}

/* Frees the store and waits until it has closed the file. */
static void close_store(void)
{
	shipopt_store_free(TAKE(fixture.store));
	assert_int_equal(shipopt_runtime_close(fixture.runtime, -1), 0);
}

static const char *file(const char *end)
{
	static char path[256];
	snprintf(path, sizeof(path), "%s%s", fixture.path, end);
	return path;
}

static int claim(const char *order_key)
{
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, order_key, 0);
	int status = fixture_run(&fixture, fixture.store, &request);
	fixture_forget(&request);
	return status;
}

static void claim_fails(const char *order_key, int status, const char *in_message)
{
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, order_key, 0);
	int r = fixture_run(&fixture, fixture.store, &request);
	const char *message = shipopt_error_message(request.error);
	if (r != status || !strstr(message, in_message))
		fail_msg("\"%s\" is not in: %d %s", in_message, r, message);
	fixture_forget(&request);
}

/* What the error says is wrong for good, whatever happens to the files. */
static void stays_stopped(const char *in_message)
{
	shipopt_op *op;
	claim_fails("z", SHIPOPT_EDATABASE, in_message);
	assert_int_equal(shipopt_store_ready(fixture.store, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_EDATABASE);
	assert_non_null(strstr(shipopt_error_message(shipopt_op_error(op)), in_message));
	shipopt_op_unref(op);
}

static int64_t count(void)
{
	shipopt_op *op;
	assert_int_equal(shipopt_ledger_count(fixture.store, 0, NULL, NULL, &op), 0);
	int r = shipopt_op_wait(op, -1);
	int64_t value = r < 0 ? r : shipopt_op_value(op);
	shipopt_op_unref(op);
	return value;
}

static void copy_file(const char *from, const char *to)
{
	char bytes[65536];
	size_t length;
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	assert_true(in && out);
	while ((length = fread(bytes, 1, sizeof(bytes), in)) > 0)
		assert_int_equal(fwrite(bytes, 1, length, out), length);
	fclose(in);
	assert_int_equal(fclose(out), 0);
}

static void write_text(const char *path, const char *text)
{
	FILE *out = fopen(path, "wb");
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

/* Rows in the main file alone, without its log. The copy is made by a child: to open and close the file
 * here would drop SQLite's locks. */
static int64_t rows_in_file_alone(void)
{
	char alone[PATH_SIZE];
	sqlite3 *handle;
	sqlite3_stmt *statement;
	int status;
	path_join(alone, fixture.folder, "alone.db");
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		copy_file(fixture.path, alone);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(sqlite3_open(alone, &handle), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(handle, "SELECT count(*) FROM ledger", -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int64_t rows = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
	assert_int_equal(unlink(alone), 0);
	return rows;
}

/* --- two names --- */

static void a_file_with_several_names_is_refused(void **state)
{
	assert_int_equal(claim("a"), LEDGER_OUTCOME_OK);
	char second[PATH_SIZE];
	path_join(second, fixture.folder, "second.db");
	store_fixture_reopen(&fixture);
	assert_int_equal(count(), 1);
	assert_int_equal(link(fixture.path, second), 0);
	store_fixture_reopen(&fixture);
	claim_fails("b", SHIPOPT_EUNSUPPORTED, "has 2 names (hard links)");
	claim_fails("b", SHIPOPT_EUNSUPPORTED, fixture.path);
	assert_int_equal(unlink(second), 0);
	assert_int_equal(claim("b"), LEDGER_OUTCOME_OK);
	assert_int_equal(count(), 2);
}

static void a_name_given_while_in_use_stops_the_store_until_it_is_opened_again(void **state)
{
	char second[PATH_SIZE];
	path_join(second, fixture.folder, "second.db");
	assert_int_equal(claim("a"), LEDGER_OUTCOME_OK);
	assert_int_equal(link(fixture.path, second), 0);
	claim_fails("b", SHIPOPT_EDATABASE, "was given a second name (a hard link)");
	assert_int_equal(unlink(second), 0);
	stays_stopped("was given a second name (a hard link)");
	store_fixture_reopen(&fixture);
	assert_int_equal(claim("b"), LEDGER_OUTCOME_OK);
	assert_int_equal(count(), 2);
}

static void a_symbolic_link_is_followed_to_the_real_file_and_its_log(void **state)
{
	char link[PATH_SIZE], other[PATH_SIZE];
	path_join(link, fixture.folder, "link.db");
	path_join(other, fixture.folder, "other.db");
	assert_int_equal(claim("a"), LEDGER_OUTCOME_OK);
	assert_int_equal(symlink("ship.db", link), 0);
	reopen_at(link);
	assert_int_equal(claim("b"), LEDGER_OUTCOME_OK);
	assert_int_equal(count(), 2);
	assert_int_equal(access(file("-wal"), F_OK), 0);
	/* The link is a name too: others would now open another file by it. */
	write_text(other, "");
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("other.db", link), 0);
	claim_fails("c", SHIPOPT_EDATABASE, "link.db was moved, deleted or replaced");
	/* A second name of the real file. */
	assert_int_equal(unlink(other), 0);
	assert_int_equal(rename(fixture.path, other), 0);
	assert_int_equal(rename(other, fixture.path), 0);
	stays_stopped("link.db was moved, deleted or replaced");
}

/* --- files that go while in use --- */

static void a_log_that_is_removed_stops_the_store_and_its_purchases_are_kept(void **state)
{
	assert_int_equal(claim("a"), LEDGER_OUTCOME_OK);
	assert_int_equal(count(), 1);
	assert_int_equal(unlink(file("-wal")), 0);
	assert_int_equal(unlink(file("-shm")), 0);
	claim_fails("b", SHIPOPT_EDATABASE, "ship.db-wal was moved, deleted or replaced");
	stays_stopped("ship.db-wal was moved, deleted or replaced");
	assert_int_equal(count(), SHIPOPT_EDATABASE);
	assert_int_equal(rows_in_file_alone(), 1);
	store_fixture_reopen(&fixture);
	assert_int_equal(count(), 1);
	assert_int_equal(claim("b"), LEDGER_OUTCOME_OK);
}

static int64_t file_size(void)
{
	struct stat status;
	assert_int_equal(stat(fixture.path, &status), 0);
	return status.st_size;
}

static void replace_log(void)
{
	assert_int_equal(unlink(file("-wal")), 0);
	write_text(file("-wal"), "theirs");
}

/* After the store's close: another program's log, and the file that goes with it, are as that program left
 * them. */
static void nothing_of_theirs_was_changed(int64_t size)
{
	char text[16] = "";
	close_store();
	FILE *in = fopen(file("-wal"), "rb");
	assert_non_null(in);
	assert_non_null(fgets(text, sizeof(text), in));
	fclose(in);
	assert_string_equal(text, "theirs");
	assert_int_equal(file_size(), size);
}

static void a_log_that_is_replaced_stops_the_store_and_is_left_alone(void **state)
{
	assert_int_equal(claim("a"), LEDGER_OUTCOME_OK);
	int64_t size = file_size();
	replace_log();
	claim_fails("b", SHIPOPT_EDATABASE, "ship.db-wal was moved, deleted or replaced");
	nothing_of_theirs_was_changed(size);
}

static void a_log_that_was_replaced_unnoticed_is_left_alone_by_the_close(void **state)
{
	assert_int_equal(claim("a"), LEDGER_OUTCOME_OK);
	int64_t size = file_size();
	replace_log();
	nothing_of_theirs_was_changed(size);
}

static void shared_memory_that_is_removed_stops_the_store(void **state)
{
	assert_int_equal(claim("a"), LEDGER_OUTCOME_OK);
	assert_int_equal(unlink(file("-shm")), 0);
	claim_fails("b", SHIPOPT_EDATABASE, "ship.db-shm was moved, deleted or replaced");
	stays_stopped("ship.db-shm was moved, deleted or replaced");
	store_fixture_reopen(&fixture);
	assert_int_equal(claim("b"), LEDGER_OUTCOME_OK);
	assert_int_equal(count(), 2);
}

static void a_folder_that_is_moved_takes_the_store_with_it(void **state)
{
	char inner[PATH_SIZE], away[PATH_SIZE], path[PATH_SIZE];
	path_join(inner, fixture.folder, "inner");
	path_join(away, fixture.folder, "away");
	assert_int_equal(mkdir(inner, 0700), 0);
	path_join(path, inner, "ship.db");
	reopen_at(path);
	assert_int_equal(claim("a"), LEDGER_OUTCOME_OK);
	assert_int_equal(rename(inner, away), 0);
	claim_fails("b", SHIPOPT_EDATABASE, "inner/ship.db was moved, deleted or replaced");
	path_join(path, away, "ship.db");
	reopen_at(path);
	assert_int_equal(count(), 1);
	close_store();
	folder_remove(away);
}

static void a_second_program_is_refused_while_the_log_of_the_first_is_gone(void **state)
{
	static const char *const ends[] = {"-wal", "-shm"};
	shipopt_store_config *config;
	shipopt_store *first = NULL;
	assert_int_equal(shipopt_store_config_new(&config), 0);
	assert_int_equal(shipopt_store_config_set_int(config, SHIPOPT_STORE_BUSY_TIMEOUT_MS, 20), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		assert_int_equal(claim("a"), i == 0 ? LEDGER_OUTCOME_OK : LEDGER_OUTCOME_BUSY);
		first = fixture.store;
		assert_int_equal(shipopt_store_open(fixture.runtime, fixture.url, config, &fixture.store, NULL), 0);
		assert_int_equal(unlink(file(ends[i])), 0);
		claim_fails("b", SHIPOPT_EDATABASE, "is in use by another program, but its log is gone");
		assert_int_equal(access(file(ends[i]), F_OK), -1);
		shipopt_store_free(first);
		/* The first one's close is waited for. */
		store_fixture_reopen(&fixture);
		assert_int_equal(count(), 1);
	}
	shipopt_store_config_free(config);
}

static void run_other_program(void)
{
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		execl(own_path, own_path, "--write", fixture.path, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
}

/* Another program: opens, writes, copies the log into the file, closes. */
static int other_program(const char *path)
{
	sqlite3 *handle;
	int code = sqlite3_open(path, &handle);
	sqlite3_busy_timeout(handle, 60000);
	code = code ? code : sqlite3_exec(handle, "UPDATE settle SET count = count + 1", NULL, NULL, NULL);
	code = code ? code : sqlite3_exec(handle, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
	return sqlite3_close(handle) || code;
}

static void another_program_comes_and_goes_without_harm(void **state)
{
	assert_int_equal(claim("a"), LEDGER_OUTCOME_OK);
	run_other_program();
	assert_int_equal(claim("b"), LEDGER_OUTCOME_OK);
	assert_int_equal(count(), 2);
	run_other_program();
	assert_int_equal(count(), 2);
	assert_int_equal(claim("c"), LEDGER_OUTCOME_OK);
}

static void remove_log(void *argument)
{
	unlink(argument);
}

static void a_purchase_whose_commit_went_into_a_removed_log_does_not_take_place(void **state)
{
	char log[PATH_SIZE];
	path_join(log, fixture.folder, "ship.db-wal");
	database_set_vfs(COMMIT_VFS_NAME);
	store_fixture_reopen(&fixture);
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, "a", 0);
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_OK);
	int64_t token = request.token;
	fixture_forget(&request);
	request = fixture_request(LEDGER_OP_CREATE, "a", token);
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_OK);
	fixture_forget(&request);
	commit_vfs_arm(1, remove_log, log);
	request = fixture_request(LEDGER_OP_BUY, "a", token);
	request.amount = 5000000;
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), SHIPOPT_EDATABASE);
	assert_non_null(strstr(shipopt_error_message(request.error), "ship.db-wal was moved, deleted or replaced"));
	assert_int_equal(request.row.id, 0);
	fixture_forget(&request);
	stays_stopped("ship.db-wal was moved, deleted or replaced");
	assert_int_equal(rows_in_file_alone(), 1);
	commit_vfs_arm(0, NULL, NULL);
	database_set_vfs(NULL);
}

/* --- mounts, and disks that take no more --- */

static void need_mounts(void)
{
	if (has_mounts)
		return;
	print_message("skipped: mounts need root and CAP_SYS_ADMIN\n");
	skip();
}

#ifdef __linux__

static void a_file_that_is_mounted_by_itself_is_refused_and_its_folder_is_not(void **state)
{
	need_mounts();
	char host[PATH_SIZE], guest[PATH_SIZE];
	path_join(host, fixture.folder, "host");
	path_join(guest, fixture.folder, "guest");
	assert_int_equal(mkdir(host, 0700), 0);
	assert_int_equal(mkdir(guest, 0700), 0);
	char host_file[PATH_SIZE], guest_file[PATH_SIZE];
	path_join(host_file, host, "ship.db");
	path_join(guest_file, guest, "ship.db");
	write_text(host_file, "");
	write_text(guest_file, "");
	assert_int_equal(mount(host_file, guest_file, NULL, MS_BIND, NULL), 0);
	reopen_at(guest_file);
	claim_fails("a", SHIPOPT_EUNSUPPORTED, "guest/ship.db is mounted by itself");
	claim_fails("a", SHIPOPT_EUNSUPPORTED, "Mount the folder, not the file");
	assert_int_equal(umount(guest_file), 0);
	assert_int_equal(mount(host, guest, NULL, MS_BIND, NULL), 0);
	assert_int_equal(claim("a"), LEDGER_OUTCOME_OK);
	store_fixture_reopen(&fixture);
	close_store();
	assert_int_equal(umount(guest), 0);
	assert_int_equal(unlink(guest_file), 0);
	assert_int_equal(rmdir(guest), 0);
	assert_int_equal(unlink(host_file), 0);
	assert_int_equal(rmdir(host), 0);
}

/* A small disk for the store's folder; the store is opened on it. */
static void mount_disk(char folder[PATH_SIZE], const char *options)
{
	char path[PATH_SIZE];
	path_join(folder, fixture.folder, "disk");
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(mount("tmpfs", folder, "tmpfs", 0, options), 0);
	path_join(path, folder, "ship.db");
	reopen_at(path);
}

static void unmount_disk(const char *folder)
{
	close_store();
	assert_int_equal(umount(folder), 0);
	assert_int_equal(rmdir(folder), 0);
}

/* Takes what is left of the disk. */
static void fill_disk(const char *path)
{
	char bytes[4096] = {0};
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

static void a_full_disk_is_named_and_the_store_goes_on_when_there_is_room(void **state)
{
	need_mounts();
	char folder[PATH_SIZE], filler[PATH_SIZE], key[16];
	int r = LEDGER_OUTCOME_OK, done = 0;
	mount_disk(folder, "size=400k");
	path_join(filler, folder, "filler");
	assert_int_equal(claim("a"), LEDGER_OUTCOME_OK);
	fill_disk(filler);
	for (; r == LEDGER_OUTCOME_OK && done < 1000; done++) {
		snprintf(key, sizeof(key), "b%d", done);
		r = claim(key);
	}
	assert_int_equal(r, SHIPOPT_EDATABASE);
	claim_fails("c", SHIPOPT_EDATABASE, "disk/ship.db: database or disk is full (SQLite 13)");
	assert_int_equal(unlink(filler), 0);
	assert_int_equal(claim("c"), LEDGER_OUTCOME_OK);
	assert_int_equal(count(), done + 1);
	unmount_disk(folder);
}

static void a_full_disk_before_the_first_row_is_named(void **state)
{
	need_mounts();
	char folder[PATH_SIZE], filler[PATH_SIZE];
	mount_disk(folder, "size=400k");
	path_join(filler, folder, "filler");
	fill_disk(filler);
	claim_fails("a", SHIPOPT_EDATABASE, "disk/ship.db: database or disk is full (SQLite 13)");
	assert_int_equal(unlink(filler), 0);
	assert_int_equal(claim("a"), LEDGER_OUTCOME_OK);
	unmount_disk(folder);
}

static void a_disk_that_becomes_read_only_is_named(void **state)
{
	need_mounts();
	char folder[PATH_SIZE];
	mount_disk(folder, "size=4m");
	assert_int_equal(mount(NULL, folder, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	claim_fails("a", SHIPOPT_EDATABASE, "disk/ship.db cannot be made in its folder: Read-only file system");
	assert_int_equal(mount(NULL, folder, NULL, MS_REMOUNT, NULL), 0);
	assert_int_equal(claim("a"), LEDGER_OUTCOME_OK);
	/* A file that is there is opened for reading only. */
	close_store();
	shipopt_runtime_free(fixture.runtime);
	assert_int_equal(shipopt_runtime_new(NULL, &fixture.runtime, NULL), 0);
	assert_int_equal(runtime_reactor(fixture.runtime, &fixture.reactor), 0);
	assert_int_equal(mount(NULL, folder, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(shipopt_store_open(fixture.runtime, fixture.url, NULL, &fixture.store, NULL), 0);
	claim_fails("b", SHIPOPT_EDATABASE, "disk/ship.db cannot be written: Read-only file system");
	unmount_disk(folder);
}

#endif

static void a_lack_of_descriptors_is_named(void **state)
{
	struct rlimit before, low;
	char key[] = "a";
	int next = open("/dev/null", O_RDONLY);
	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	/* None left; then one, for the file but not for its log. */
	for (int left = 0; left < 2; left++) {
		low = before;
		low.rlim_cur = (rlim_t)(next + left);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
		claim_fails(key, SHIPOPT_EDATABASE, "unable to open database file: Too many open files (SQLite 14)");
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	}
	assert_int_equal(claim(key), LEDGER_OUTCOME_OK);
}

/* --- --- */

#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int count_of_arguments, char **arguments)
{
	if (count_of_arguments == 3 && strcmp(arguments[1], "--write") == 0)
		return other_program(arguments[2]);
	own_path = arguments[0];
	commit_vfs_register();
#ifdef __linux__
	has_mounts = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
#endif
	const struct CMUnitTest tests[] = {
		PLACE_TEST(a_file_with_several_names_is_refused),
		PLACE_TEST(a_name_given_while_in_use_stops_the_store_until_it_is_opened_again),
		PLACE_TEST(a_symbolic_link_is_followed_to_the_real_file_and_its_log),
		PLACE_TEST(a_log_that_is_removed_stops_the_store_and_its_purchases_are_kept),
		PLACE_TEST(a_log_that_is_replaced_stops_the_store_and_is_left_alone),
		PLACE_TEST(a_log_that_was_replaced_unnoticed_is_left_alone_by_the_close),
		PLACE_TEST(shared_memory_that_is_removed_stops_the_store),
		PLACE_TEST(a_folder_that_is_moved_takes_the_store_with_it),
		PLACE_TEST(a_second_program_is_refused_while_the_log_of_the_first_is_gone),
		PLACE_TEST(another_program_comes_and_goes_without_harm),
		PLACE_TEST(a_purchase_whose_commit_went_into_a_removed_log_does_not_take_place),
#ifdef __linux__
		PLACE_TEST(a_file_that_is_mounted_by_itself_is_refused_and_its_folder_is_not),
		PLACE_TEST(a_full_disk_is_named_and_the_store_goes_on_when_there_is_room),
		PLACE_TEST(a_full_disk_before_the_first_row_is_named),
		PLACE_TEST(a_disk_that_becomes_read_only_is_named),
#endif
		PLACE_TEST(a_lack_of_descriptors_is_named),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
