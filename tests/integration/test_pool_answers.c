/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <shipopt/listen.h>

#include "base/memory.h"
#include "cmocka_test.h"
#include "pool/connection/lease.h"
#include "pool_fixture.h"

/* What a server says: answers that make no sense, and what of a good one is passed on. */

/* ---- a server that says what it is told to -------------------------------------------------------------------- */

/* Accepts connections one by one, takes everybody in, and answers each simple query with the same bytes. */
struct liar {
	int fd, port, stop[2];
	const char *answer;
	size_t length;
	atomic_int queries;
	pthread_t thread;
};

/* AuthenticationOk, BackendKeyData, ReadyForQuery. */
static const char welcome[] = "R\0\0\0\10\0\0\0\0K\0\0\0\14\0\0\0\21\0\0\0\1Z\0\0\0\5I";

static bool wait_readable(struct liar *liar, int fd)
{
	struct pollfd entries[2] = {{.fd = fd, .events = POLLIN}, {.fd = liar->stop[0], .events = POLLIN}};
	return poll(entries, 2, -1) > 0 && !entries[1].revents;
}

static void serve(struct liar *liar, int fd)
{
	char bytes[8192];
	ssize_t length;
	bool is_in = false;
	while (wait_readable(liar, fd) && (length = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
		if (!is_in && send(fd, welcome, sizeof(welcome) - 1, MSG_NOSIGNAL) < 0)
			return;
		if (is_in && bytes[0] == 'Q') {
			liar->queries++;
			if (send(fd, liar->answer, liar->length, MSG_NOSIGNAL) < 0)
				return;
		}
		is_in = true;
	}
}

static void *liar_main(void *argument)
{
	struct liar *liar = argument;
	while (wait_readable(liar, liar->fd)) {
		int fd = accept(liar->fd, NULL, NULL);
		if (fd < 0)
			continue;
		serve(liar, fd);
		close(fd);
	}
	return NULL;
}

static void liar_start(struct liar *liar, const char *answer, size_t length)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	*liar = (struct liar){.fd = socket(AF_INET, SOCK_STREAM, 0), .answer = answer, .length = length};
	assert_int_equal(bind(liar->fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(liar->fd, 8), 0);
	assert_int_equal(getsockname(liar->fd, (struct sockaddr *)&address, &size), 0);
	liar->port = ntohs(address.sin_port);
	assert_int_equal(pipe(liar->stop), 0);
	assert_int_equal(pthread_create(&liar->thread, NULL, liar_main, liar), 0);
}

static void liar_stop(struct liar *liar)
{
	assert_int_equal(write(liar->stop[1], "", 1), 1);
	pthread_join(liar->thread, NULL);
	close(liar->stop[0]);
	close(liar->stop[1]);
	close(liar->fd);
}

/* ---- listening to it ------------------------------------------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int failures, status, others;
	char message[512];
} heard = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void hear(void *userdata, const shipopt_notification *notification)
{
	int kind = shipopt_notification_kind(notification);
	pthread_mutex_lock(&heard.lock);
	if (kind == SHIPOPT_NOTIFICATION_FAILED) {
		const char *message = shipopt_error_message(shipopt_notification_error(notification));
		heard.failures++;
		heard.status = shipopt_notification_status(notification);
		snprintf(heard.message, sizeof(heard.message), "%s", message ? message : "");
	} else if (kind != SHIPOPT_NOTIFICATION_ENDED) {
		heard.others++;
	}
	pthread_cond_signal(&heard.changed);
	pthread_mutex_unlock(&heard.lock);
}

/* The answer is a failure of listening, told once, and the server is asked again after a pause. */
static void check_listening(const char *answer, size_t length, int status, const char *message)
{
	static const char *const channels[] = {"a"}, *const settings[] = {"min", "0", NULL};
	shipopt_listener *listener;
	struct liar liar;
	char conninfo[128];
	heard.failures = heard.others = 0;
	liar_start(&liar, answer, length);
	snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d user=postgres sslmode=disable gssencmode=disable",
		liar.port);
	fixture_open(conninfo, settings);
	assert_int_equal(shipopt_pool_listen(fixture.pool, channels, 1, hear, NULL, &listener, NULL), 0);
	pthread_mutex_lock(&heard.lock);
	while (!heard.failures)
		pthread_cond_wait(&heard.changed, &heard.lock);
	pthread_mutex_unlock(&heard.lock);
	while (atomic_load(&liar.queries) < 2)
		poll(NULL, 0, 1);
	assert_int_equal(heard.status, status);
	if (!strstr(heard.message, message))
		print_error("%s\n", heard.message);
	assert_non_null(strstr(heard.message, message));
	shipopt_listener_free(listener);
	fixture_close();
	assert_int_equal(heard.failures, 1);
	assert_int_equal(heard.others, 0);
	liar_stop(&liar);
}

/* RowDescription of one column "p", CommandComplete, ReadyForQuery. */
static void no_rows_are_no_process_id(void **state)
{
	static const char answer[] = "T\0\0\0\32\0\1p\0\0\0\0\0\0\0\0\0\0\27\0\4\377\377\377\377\0\0"
				     "C\0\0\0\15SELECT 0\0"
				     "Z\0\0\0\5I";
	check_listening(answer, sizeof(answer) - 1, SHIPOPT_EPROTOCOL, "process id with 0 rows of 1 columns");
}

/* RowDescription without columns, a DataRow without values. */
static void a_row_without_columns_is_no_process_id(void **state)
{
	static const char answer[] = "T\0\0\0\6\0\0"
				     "D\0\0\0\6\0\0"
				     "C\0\0\0\15SELECT 1\0"
				     "Z\0\0\0\5I";
	check_listening(answer, sizeof(answer) - 1, SHIPOPT_EPROTOCOL, "process id with 1 rows of 0 columns");
}

static void a_question_that_is_not_answered_is_not_asked_for_ever(void **state)
{
	static const char answer[] = "C\0\0\0\13LISTEN\0"
				     "Z\0\0\0\5I";
	check_listening(answer, sizeof(answer) - 1, SHIPOPT_ENETWORK, "LISTEN was not answered");
}

/* CopyOutResponse. */
static void a_copy_for_an_answer_does_not_hold_up_the_reactor(void **state)
{
	static const char answer[] = "H\0\0\0\7\0\0\0";
	check_listening(answer, sizeof(answer) - 1, SHIPOPT_ENETWORK, "answered with a COPY");
}

/* ---- what is passed on ------------------------------------------------------------------------------------------ */

static void check_no_secret(const shipopt_op *op)
{
	const char *message = shipopt_error_message(shipopt_op_error(op));
	assert_non_null(message);
	assert_null(strstr(message, "mail@"));
}

/* DETAIL, HINT and CONTEXT quote stored rows, values and the text of functions. */
static void rows_of_the_server_are_in_no_message_and_no_log_line(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	static const char *const failing[] = {"insert into person values ('mail@example.com')",
		"do $$ begin raise exception 'refused' using detail = 'row mail@example.com', hint = 'see mail@example.com'; end $$",
		"do $$ begin execute 'select 1/0 as \"mail@example.com\"'; end $$"};
	fixture_open(NULL, settings);
	run_number(NULL, "create table person (email text primary key)");
	run_number(NULL, failing[0]);
	for (size_t i = 0; i < 3; i++) {
		shipopt_op *op = run_query(NULL, failing[i]);
		assert_true(shipopt_op_status(op) < 0);
		check_no_secret(op);
		shipopt_op_unref(op);
	}
	run_number(NULL, "drop table person");
	fixture_close();
	assert_null(strstr(fixture.log, "mail@"));
}

static void cut(void *argument)
{
	const shipopt_lease *lease = argument;
	shutdown(lease->connection->fd, SHUT_RDWR);
}

/* Behind a stream libpq still has the error of the command before when the connection goes without a word. */
static void nor_are_they_when_the_connection_is_lost_behind_an_error(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	shipopt_stream *stream;
	shipopt_op *op;
	fixture_open(NULL, settings);
	run_number(NULL, "create table person (email text primary key)");
	run_number(NULL, "insert into person values ('mail@example.com')");
	shipopt_lease *lease = acquire();
	shipopt_query *query = make_query("insert into person values ('mail@example.com') returning email");
	assert_int_equal(shipopt_lease_stream(lease, query, &stream, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, 20000), SHIPOPT_ECONFLICT);
	check_no_secret(op);
	shipopt_stream_free(stream);
	shipopt_query_free(query);
	shipopt_op_unref(op);
	runtime_call(fixture.pool->reactor, cut, lease);
	assert_true(wait_stat(SHIPOPT_POOL_STAT_LOST, 1));
	shipopt_lease_release(lease);
	run_number(NULL, "drop table person");
	fixture_close();
	assert_non_null(strstr(fixture.log, "connection lost: "));
	assert_null(strstr(fixture.log, "mail@"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_rows_are_no_process_id),
		cmocka_unit_test(a_row_without_columns_is_no_process_id),
		cmocka_unit_test(a_question_that_is_not_answered_is_not_asked_for_ever),
		cmocka_unit_test(a_copy_for_an_answer_does_not_hold_up_the_reactor),
		cmocka_unit_test(rows_of_the_server_are_in_no_message_and_no_log_line),
		cmocka_unit_test(nor_are_they_when_the_connection_is_lost_behind_an_error),
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
