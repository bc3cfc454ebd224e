/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <shipopt/listen.h>

#include "base/memory.h"
#include "cmocka_test.h"
#include "pool_fixture.h"

/* Listening on a real server, through its ends and its restarts. */

/* ---- what a listener heard ------------------------------------------------------------------------------------- */

struct heard {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t count;
	int kinds[4096];
	int counts[SHIPOPT_NOTIFICATION_ENDED + 1];
	char channel[64], payload[8192], error[512]; /* of the last that had one */
	int backend_pid, status;
	bool is_blocked, is_inside;
	int blocks_at; /* a kind */
	bool frees;
	shipopt_listener *listener;
};

static struct heard heard[3];

static void hear(void *userdata, const shipopt_notification *notification)
{
	struct heard *self = userdata;
	int kind = shipopt_notification_kind(notification);
	pthread_mutex_lock(&self->lock);
	assert_false(self->is_inside); /* one call at a time */
	assert_int_equal(self->counts[SHIPOPT_NOTIFICATION_ENDED], 0);
	self->is_inside = true;
	self->is_blocked = self->is_blocked || (kind == self->blocks_at && self->blocks_at);
	pthread_cond_broadcast(&self->changed);
	while (self->is_blocked)
		pthread_cond_wait(&self->changed, &self->lock);
	self->is_inside = false;
	self->kinds[self->count++ % 4096] = kind;
	self->counts[kind]++;
	self->status = shipopt_notification_status(notification);
	if (kind == SHIPOPT_NOTIFICATION_MESSAGE) {
		snprintf(self->channel, sizeof(self->channel), "%s", shipopt_notification_channel(notification));
		snprintf(self->payload, sizeof(self->payload), "%s", shipopt_notification_payload(notification));
		self->backend_pid = shipopt_notification_backend_pid(notification);
	} else {
		assert_string_equal(shipopt_notification_channel(notification), "");
		assert_string_equal(shipopt_notification_payload(notification), "");
		assert_int_equal(shipopt_notification_backend_pid(notification), 0);
	}
	if (shipopt_notification_error(notification))
		snprintf(self->error, sizeof(self->error), "%s",
			shipopt_error_message(shipopt_notification_error(notification)));
	if (self->frees && kind == SHIPOPT_NOTIFICATION_MESSAGE)
		shipopt_listener_free(self->listener);
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->lock);
}

static void forget(void)
{
	for (size_t i = 0; i < 3; i++) {
		memset(&heard[i], 0, sizeof(heard[i]));
		pthread_mutex_init(&heard[i].lock, NULL);
		pthread_cond_init(&heard[i].changed, NULL);
	}
}

/* Waits until it was told so many of a kind. */
static void wait_heard(struct heard *self, int kind, int count)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 20;
	pthread_mutex_lock(&self->lock);
	while (self->counts[kind] < count && pthread_cond_timedwait(&self->changed, &self->lock, &until) != ETIMEDOUT)
		;
	int there = self->counts[kind];
	pthread_mutex_unlock(&self->lock);
	assert_int_equal(there, count);
}

static int heard_count(struct heard *self, int kind)
{
	pthread_mutex_lock(&self->lock);
	int count = self->counts[kind];
	pthread_mutex_unlock(&self->lock);
	return count;
}

static void set_blocked(struct heard *self, bool is_blocked)
{
	pthread_mutex_lock(&self->lock);
	self->is_blocked = is_blocked;
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->lock);
}

/* Until it is called and held. */
static void wait_held(struct heard *self)
{
	pthread_mutex_lock(&self->lock);
	while (!(self->is_inside && self->is_blocked))
		pthread_cond_wait(&self->changed, &self->lock);
	pthread_mutex_unlock(&self->lock);
}

static shipopt_listener *listen_to(struct heard *self, const char *first, const char *second)
{
	const char *const channels[] = {first, second};
	shipopt_listener *listener = NULL;
	shipopt_error *error = NULL;
	int r = shipopt_pool_listen(fixture.pool, channels, second ? 2 : 1, hear, self, &listener, &error);
	if (r < 0)
		print_error("%s\n", shipopt_error_message(error));
	assert_int_equal(r, 0);
	self->listener = listener;
	return listener;
}

/* One that listens. */
static shipopt_listener *listen_now(struct heard *self, const char *first, const char *second)
{
	shipopt_listener *listener = listen_to(self, first, second);
	wait_heard(self, SHIPOPT_NOTIFICATION_LISTENING, 1);
	return listener;
}

static void end(struct heard *self, shipopt_listener *listener)
{
	shipopt_listener_free(listener);
	wait_heard(self, SHIPOPT_NOTIFICATION_ENDED, 1);
	assert_int_equal(self->status, 0);
}

static int notify(const char *channel, const char *payload)
{
	char sql[512];
	snprintf(sql, sizeof(sql), "select pg_backend_pid() from pg_notify('%s', '%s')", channel, payload);
	return (int)side_number(sql);
}

static int64_t backends(void)
{
	return side_number(
		"select count(*) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'");
}

static void wait_backends(int64_t count)
{
	bool is_there = false;
	for (int i = 0; i < 20000 && !is_there; i++) {
		is_there = backends() == count; /* one that was closed just now may still be seen */
		poll(NULL, 0, 1);
	}
	assert_true(is_there);
}

/* The only connection there is, once an earlier one is really gone. */
static void kill_listening(void)
{
	wait_backends(1);
	assert_int_equal(
		side_number(
			"select count(pg_terminate_backend(pid)) from pg_stat_activity where pid <> pg_backend_pid() and "
			"(query like '%LISTEN %' or query like 'SELECT pg_backend_pid(),%')"),
		1);
}

static void open_pool(const char *const *settings)
{
	forget();
	fixture_open(NULL, settings);
}

/* ---- hearing --------------------------------------------------------------------------------------------------- */

static void a_notification_comes_with_channel_payload_and_backend(void **state)
{
	open_pool(NULL);
	shipopt_listener *listener = listen_now(&heard[0], "orders", NULL);
	int pid = notify("orders", "17 ü");
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MESSAGE, 1);
	assert_string_equal(heard[0].channel, "orders");
	assert_string_equal(heard[0].payload, "17 ü");
	assert_int_equal(heard[0].backend_pid, pid);
	side_number("select pg_notify('orders', repeat('x', 7999)) is null");
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MESSAGE, 2);
	assert_int_equal(strlen(heard[0].payload), 7999);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_NOTIFICATIONS), 2);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_TOTAL), 0); /* it is not one of the pool's */
	end(&heard[0], listener);
	wait_backends(0);
	fixture_close();
}

static void listeners_of_a_pool_share_one_connection(void **state)
{
	open_pool(NULL);
	shipopt_listener *first = listen_now(&heard[0], "one", "both");
	shipopt_listener *second = listen_now(&heard[1], "two", "both");
	wait_backends(1);
	notify("one", "1");
	notify("two", "2");
	notify("both", "3");
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MESSAGE, 2);
	wait_heard(&heard[1], SHIPOPT_NOTIFICATION_MESSAGE, 2);
	assert_string_equal(heard[0].payload, "3");
	assert_string_equal(heard[1].payload, "3");
	end(&heard[0], first); /* the other one goes on hearing what both wanted */
	notify("one", "nobody");
	notify("both", "4");
	wait_heard(&heard[1], SHIPOPT_NOTIFICATION_MESSAGE, 3);
	assert_string_equal(heard[1].payload, "4");
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_LISTEN_CONNECTS), 1);
	end(&heard[1], second);
	wait_backends(0);
	shipopt_listener *third = listen_now(&heard[2], "both", NULL); /* and it is made again */
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_LISTEN_CONNECTS), 2);
	end(&heard[2], third);
	fixture_close();
}

static void names_are_taken_as_they_are(void **state)
{
	char longest[65];
	shipopt_listener *listener = NULL;
	shipopt_error *error = NULL;
	memset(longest, 'n', 64);
	longest[63] = longest[64] = '\0';
	open_pool(NULL);
	listener = listen_now(&heard[0], "Is \"odd\"; drop table x", longest);
	notify("Is \"odd\"; drop table x", "odd");
	notify(longest, "long");
	notify("is \"odd\"; drop table x", "another");
	assert_int_equal(shipopt_listener_add(listener, "last", NULL), 1);
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_LISTENING, 2);
	notify("last", "the last");
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MESSAGE, 3);
	assert_string_equal(heard[0].payload, "the last");
	longest[63] = 'n';
	const char *bad[] = {"good", longest};
	shipopt_listener *none = NULL;
	assert_int_equal(shipopt_pool_listen(fixture.pool, bad, 2, hear, NULL, &none, &error), SHIPOPT_ETOOLARGE);
	assert_non_null(strstr(shipopt_error_message(error), "channel 1"));
	assert_non_null(strstr(shipopt_error_message(error), "63 bytes"));
	shipopt_error_unref(error);
	bad[1] = "";
	assert_int_equal(shipopt_pool_listen(fixture.pool, bad, 2, hear, NULL, &none, NULL), SHIPOPT_EINVAL);
	bad[1] = NULL;
	assert_int_equal(shipopt_pool_listen(fixture.pool, bad, 2, hear, NULL, &none, NULL), SHIPOPT_EINVAL);
	bad[1] = "\xff";
	assert_int_equal(shipopt_pool_listen(fixture.pool, bad, 2, hear, NULL, &none, NULL), SHIPOPT_EENCODING);
	assert_int_equal(shipopt_pool_listen(fixture.pool, bad, 257, hear, NULL, &none, NULL), SHIPOPT_ETOOLARGE);
	assert_int_equal(shipopt_pool_listen(fixture.pool, bad, 1, NULL, NULL, &none, NULL), SHIPOPT_EINVAL);
	assert_null(none);
	assert_int_equal(shipopt_listener_add(listener, longest, NULL), SHIPOPT_ETOOLARGE);
	assert_int_equal(shipopt_listener_add(listener, "", NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_listener_remove(listener, "absent"), SHIPOPT_ENOTFOUND);
	end(&heard[0], listener);
	fixture_close();
}

static void channels_come_and_go(void **state)
{
	open_pool(NULL);
	shipopt_listener *listener = NULL;
	assert_int_equal(shipopt_pool_listen(fixture.pool, NULL, 0, hear, &heard[0], &listener, NULL), 0);
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_LISTENING, 1);
	assert_int_equal(shipopt_listener_add(listener, "a", NULL), 1);
	assert_int_equal(shipopt_listener_add(listener, "a", NULL), 0);
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_LISTENING, 2);
	notify("a", "1");
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MESSAGE, 1);
	assert_int_equal(shipopt_listener_remove(listener, "a"), 0);
	assert_int_equal(shipopt_listener_remove(listener, "a"), SHIPOPT_ENOTFOUND);
	assert_int_equal(shipopt_listener_add(listener, "b", NULL), 1);
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_LISTENING, 3);
	notify("a", "2");
	notify("b", "3");
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MESSAGE, 2);
	assert_string_equal(heard[0].channel, "b");
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_NOTIFICATIONS),
		2); /* the server does not send the other one any more */
	assert_int_equal(shipopt_listener_remove(listener, "b"), 0);
	assert_int_equal(shipopt_listener_add(listener, "b", NULL), 1); /* in one breath */
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_LISTENING, 4);
	notify("b", "4");
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MESSAGE, 3);
	end(&heard[0], listener);
	fixture_close();
}

static void many_long_names_are_asked_for_in_pieces(void **state)
{
	enum { CHANNELS = SHIPOPT_LISTENER_CHANNELS_MAX };
	static char names[CHANNELS][64];
	static const char *channels[CHANNELS];
	shipopt_listener *listener;
	open_pool(NULL);
	for (int i = 0; i < CHANNELS; i++) {
		snprintf(names[i], sizeof(names[i]),
			"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"%020d", i);
		channels[i] = names[i];
	}
	assert_int_equal(shipopt_pool_listen(fixture.pool, channels, CHANNELS, hear, &heard[0], &listener, NULL), 0);
	assert_int_equal(shipopt_listener_add(listener, "one too many", NULL), SHIPOPT_ETOOLARGE);
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_LISTENING, 1);
	for (int i = 0; i < CHANNELS; i += 51)
		notify(names[i], "x");
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MESSAGE, 6);
	kill_listening();
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MISSED, 1);
	for (int i = 0; i < CHANNELS; i += 51)
		notify(names[i], "y");
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MESSAGE, 12);
	end(&heard[0], listener);
	fixture_close();
}

static void the_order_is_that_of_the_server(void **state)
{
	open_pool(NULL);
	shipopt_listener *listener = listen_now(&heard[0], "flood", NULL);
	side_number("select count(pg_notify('flood', lpad(i::text, 6, '0'))) from generate_series(1, 900) i");
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MESSAGE, 900);
	assert_string_equal(heard[0].payload, "000900");
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_NOTIFICATIONS_DROPPED), 0);
	end(&heard[0], listener);
	fixture_close();
}

/* ---- gaps ------------------------------------------------------------------------------------------------------ */

static void a_killed_connection_is_made_again_and_tells_of_the_gap_once(void **state)
{
	open_pool(NULL);
	shipopt_listener *first = listen_now(&heard[0], "a", "b"), *second = listen_now(&heard[1], "b", NULL);
	for (int i = 1; i <= 5; i++) {
		kill_listening();
		wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MISSED, i);
		wait_heard(&heard[1], SHIPOPT_NOTIFICATION_MISSED, i);
		notify("a", "after");
		notify("b", "after");
		wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MESSAGE, 2 * i);
		wait_heard(&heard[1], SHIPOPT_NOTIFICATION_MESSAGE, i);
		assert_int_equal(heard_count(&heard[0], SHIPOPT_NOTIFICATION_MISSED), i);
	}
	assert_int_equal(heard_count(&heard[0], SHIPOPT_NOTIFICATION_LISTENING), 1);
	assert_int_equal(heard_count(&heard[0], SHIPOPT_NOTIFICATION_FAILED), 0);
	for (size_t i = 0; i < heard[0].count; i++) /* listening, then five times missed and two messages */
		assert_int_equal(heard[0].kinds[i],
			i == 0               ? SHIPOPT_NOTIFICATION_LISTENING
				: i % 3 == 1 ? SHIPOPT_NOTIFICATION_MISSED
					     : SHIPOPT_NOTIFICATION_MESSAGE);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_LISTEN_CONNECTS), 6);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_LISTEN_LOST), 5);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_NOTIFICATIONS_MISSED), 10);
	assert_true(fixture_has_said("terminating connection due to administrator command"));
	end(&heard[0], first);
	end(&heard[1], second);
	fixture_close();
}

static void a_restart_of_the_server_is_survived(void **state)
{
	static const char *const settings[] = {"backoff_max_ms", "100", NULL};
	open_pool(settings);
	shipopt_listener *listener = listen_now(&heard[0], "a", NULL);
	for (int i = 1; i <= 2; i++) {
		assert_int_equal(postgres_restart(&fixture.postgres), 0);
		wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MISSED, i);
		notify("a", "after");
		wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MESSAGE, i);
	}
	assert_true(heard_count(&heard[0], SHIPOPT_NOTIFICATION_FAILED) <= 2); /* once per outage */
	assert_int_equal(heard_count(&heard[0], SHIPOPT_NOTIFICATION_MISSED), 2);
	end(&heard[0], listener);
	fixture_close();
}

static void without_a_server_it_fails_once_and_goes_on_trying(void **state)
{
	static const char *const settings[] = {"backoff_max_ms", "20", "listen_conninfo", "", NULL};
	forget();
	postgres_end(&fixture.postgres, SIGINT);
	fixture_open(NULL, settings);
	shipopt_listener *listener = listen_to(&heard[0], "a", NULL);
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_FAILED, 1);
	assert_int_equal(heard[0].status, SHIPOPT_ENETWORK);
	assert_true(strlen(heard[0].error) > 0);
	shipopt_listener *late = listen_to(&heard[1], "a", NULL); /* who comes later is told too */
	wait_heard(&heard[1], SHIPOPT_NOTIFICATION_FAILED, 1);
	assert_int_equal(postgres_begin(&fixture.postgres), 0);
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_LISTENING, 1);
	wait_heard(&heard[1], SHIPOPT_NOTIFICATION_LISTENING, 1);
	assert_int_equal(heard_count(&heard[0], SHIPOPT_NOTIFICATION_FAILED), 1);
	assert_int_equal(heard_count(&heard[0], SHIPOPT_NOTIFICATION_MISSED), 0);
	end(&heard[0], listener);
	end(&heard[1], late);
	fixture_close();
}

static void what_finds_no_room_is_dropped_and_told(void **state)
{
	static const char *const settings[] = {"notifications_max", "4", NULL};
	open_pool(settings);
	shipopt_listener *listener = listen_now(&heard[0], "a", NULL);
	set_blocked(&heard[0], true);
	notify("a", "before");
	wait_held(&heard[0]); /* else it would make room in the middle, and there would be two gaps */
	side_number("select count(pg_notify('a', i::text)) from generate_series(1, 20) i");
	assert_true(wait_stat(SHIPOPT_POOL_STAT_NOTIFICATIONS_DROPPED, 16));
	set_blocked(&heard[0], false);
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MISSED, 1);
	notify("a", "after");
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MESSAGE, 1 + 4 + 1);
	assert_string_equal(heard[0].payload, "after");
	assert_int_equal(heard_count(&heard[0], SHIPOPT_NOTIFICATION_MISSED), 1);
	assert_int_equal(heard[0].kinds[heard[0].count - 2], SHIPOPT_NOTIFICATION_MISSED); /* where the gap is */
	end(&heard[0], listener);
	fixture_close();
}

static void an_idle_session_is_not_ended_by_the_server(void **state)
{
	char conninfo[400];
	static const char *settings[] = {"listen_conninfo", NULL, NULL};
	forget();
	snprintf(conninfo, sizeof(conninfo), "%s options='-c idle_session_timeout=1000'", fixture.postgres.conninfo);
	settings[1] = conninfo;
	fixture_open(NULL, settings);
	shipopt_listener *listener = listen_now(&heard[0], "a", NULL);
	int64_t lost = stat_of(SHIPOPT_POOL_STAT_LISTEN_LOST); /* it may have been too slow at first */
	side_number("select 1 from pg_sleep(1.5)");
	notify("a", "still here");
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MESSAGE, 1);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_LISTEN_LOST), lost);
	end(&heard[0], listener);
	fixture_close();
}

/* ---- ends ------------------------------------------------------------------------------------------------------ */

static void it_may_be_freed_at_any_time(void **state)
{
	open_pool(NULL);
	for (int i = 0; i < 50; i++) {
		forget();
		shipopt_listener *listener = listen_to(&heard[0], "a", "b");
		if (i % 3 == 0)
			shipopt_listener_add(listener, "c", NULL);
		if (i % 5 == 0)
			wait_heard(&heard[0], SHIPOPT_NOTIFICATION_LISTENING, 1);
		end(&heard[0], listener);
	}
	wait_backends(0);
	forget();
	heard[0].frees = true; /* inside of the callback */
	listen_now(&heard[0], "a", NULL);
	notify("a", "1");
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_ENDED, 1);
	assert_int_equal(heard_count(&heard[0], SHIPOPT_NOTIFICATION_MESSAGE), 1);
	fixture_close();
}

static void closing_the_runtime_ends_it(void **state)
{
	uint64_t live = mem_live_count();
	open_pool(NULL);
	shipopt_listener *listener = listen_now(&heard[0], "a", NULL), *late = listen_to(&heard[1], "b", NULL);
	shipopt_pool_free(fixture.pool); /* the listeners hold it */
	notify("a", "1");
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MESSAGE, 1);
	assert_int_equal(shipopt_runtime_close(fixture.runtime, 10000), 0); /* and it does not wait for them */
	assert_int_equal(heard[0].counts[SHIPOPT_NOTIFICATION_ENDED], 1);
	assert_int_equal(heard[1].counts[SHIPOPT_NOTIFICATION_ENDED], 1);
	assert_int_equal(heard[0].status, SHIPOPT_ESHUTDOWN);
	assert_int_equal(shipopt_listener_add(listener, "c", NULL), SHIPOPT_ESHUTDOWN);
	shipopt_runtime_free(fixture.runtime);
	shipopt_listener_free(listener);
	shipopt_listener_free(late);
	assert_int_equal(mem_live_count(), live);
}

static void *close_blocking(void *argument)
{
	shipopt_runtime_close(fixture.runtime, -1);
	return NULL;
}

/* One gap is with the callback, another one is noticed, and it is over. */
static void a_gap_that_is_due_does_not_come_behind_the_end(void **state)
{
	static const char *const settings[] = {"notifications_max", "4", NULL};
	pthread_t thread;
	open_pool(settings);
	shipopt_listener *listener = listen_now(&heard[0], "a", NULL);
	set_blocked(&heard[0], true);
	side_number("select count(pg_notify('a', i::text)) from generate_series(1, 20) i");
	assert_true(wait_stat(SHIPOPT_POOL_STAT_NOTIFICATIONS, 20));
	pthread_mutex_lock(&heard[0].lock);
	heard[0].is_blocked = false;
	heard[0].blocks_at = SHIPOPT_NOTIFICATION_MISSED;
	pthread_cond_broadcast(&heard[0].changed);
	while (!heard[0].is_blocked)
		pthread_cond_wait(&heard[0].changed, &heard[0].lock);
	heard[0].blocks_at = 0;
	pthread_mutex_unlock(&heard[0].lock);
	side_number("select count(pg_notify('a', i::text)) from generate_series(1, 20) i");
	assert_true(wait_stat(SHIPOPT_POOL_STAT_NOTIFICATIONS, 40));
	assert_int_equal(pthread_create(&thread, NULL, close_blocking, NULL), 0);
	wait_backends(0); /* the listener was told of the end before that */
	set_blocked(&heard[0], false);
	pthread_join(thread, NULL);
	assert_int_equal(heard[0].counts[SHIPOPT_NOTIFICATION_MISSED], 1);
	assert_int_equal(heard[0].counts[SHIPOPT_NOTIFICATION_ENDED], 1);
	assert_int_equal(heard[0].kinds[heard[0].count - 1], SHIPOPT_NOTIFICATION_ENDED);
	shipopt_listener_free(listener);
	fixture_close();
}

static void inline_delivery_calls_on_the_reactor(void **state)
{
	shipopt_pool_config *config;
	shipopt_listener *listener;
	static const char *const channels[] = {"a"};
	open_pool(NULL);
	assert_int_equal(shipopt_pool_config_new(&config), 0);
	shipopt_pool_config_set(config, SHIPOPT_POOL_CONNINFO, fixture.postgres.conninfo);
	shipopt_pool_config_set_int(config, SHIPOPT_POOL_DELIVER_INLINE, 1);
	shipopt_pool *pool;
	assert_int_equal(shipopt_pool_new(fixture.runtime, config, &pool, NULL), 0);
	shipopt_pool_config_free(config);
	assert_int_equal(shipopt_pool_listen(pool, channels, 1, hear, &heard[0], &listener, NULL), 0);
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_LISTENING, 1);
	side_number("select count(pg_notify('a', i::text)) from generate_series(1, 200) i");
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MESSAGE, 200);
	end(&heard[0], listener);
	shipopt_pool_free(pool);
	fixture_close();
}

/* ---- by a queue ------------------------------------------------------------------------------------------------ */

static shipopt_queue *queue;
static shipopt_pool *queued;

static void open_queued(size_t slots)
{
	shipopt_pool_config *config;
	open_pool(NULL);
	assert_int_equal(shipopt_queue_new(fixture.runtime, slots, &queue), 0);
	assert_int_equal(shipopt_pool_config_new(&config), 0);
	shipopt_pool_config_set(config, SHIPOPT_POOL_CONNINFO, fixture.postgres.conninfo);
	shipopt_pool_config_set_queue(config, queue);
	assert_int_equal(shipopt_pool_new(fixture.runtime, config, &queued, NULL), 0);
	shipopt_pool_config_free(config);
}

static void a_queue_hands_them_out_on_the_threads_that_dispatch(void **state)
{
	static const char *const channels[] = {"a"};
	shipopt_listener *listener, *second;
	open_queued(20);
	assert_int_equal(shipopt_pool_listen(queued, channels, 1, hear, &heard[0], &listener, NULL), 0);
	assert_int_equal(shipopt_pool_listen(queued, channels, 1, hear, &heard[1], &second, NULL), SHIPOPT_EAGAIN);
	while (heard_count(&heard[0], SHIPOPT_NOTIFICATION_LISTENING) == 0)
		assert_true(shipopt_queue_dispatch(queue, 0, 20000) > 0);
	side_number("select count(pg_notify('a', i::text)) from generate_series(1, 100) i");
	while (heard_count(&heard[0], SHIPOPT_NOTIFICATION_MESSAGE) < 100)
		assert_true(shipopt_queue_dispatch(queue, 0, 20000) > 0);
	assert_string_equal(heard[0].payload, "100");
	shipopt_listener_free(listener);
	while (heard_count(&heard[0], SHIPOPT_NOTIFICATION_ENDED) == 0)
		assert_true(shipopt_queue_dispatch(queue, 0, 20000) > 0);
	shipopt_pool_free(queued);
	shipopt_queue_free(queue);
	fixture_close();
}

static void a_queue_that_is_polled_gives_events(void **state)
{
	static const char *const channels[] = {"a"};
	shipopt_listener *listener;
	shipopt_event events[32];
	int messages = 0, ended = 0;
	open_queued(64);
	assert_int_equal(shipopt_pool_listen(queued, channels, 1, NULL, &heard[2], &listener, NULL), 0);
	for (bool has_sent = false; !ended;) {
		int count = shipopt_queue_poll(queue, events, 32, 20000);
		assert_in_range(count, 1, 16);
		for (int i = 0; i < count; i++) {
			assert_int_equal(events[i].kind, SHIPOPT_EVENT_NOTIFICATION);
			assert_true(events[i].userdata == (uint64_t)(uintptr_t)&heard[2]);
			assert_null(shipopt_event_item(&events[i]));
			const shipopt_notification *notification = shipopt_event_notification(&events[i]);
			int kind = shipopt_notification_kind(notification);
			if (kind == SHIPOPT_NOTIFICATION_MESSAGE)
				assert_int_equal(atoi(shipopt_notification_payload(notification)), ++messages);
			ended += kind == SHIPOPT_NOTIFICATION_ENDED;
		}
		assert_int_equal(shipopt_queue_release(queue, events, (size_t)count), 0);
		if (!has_sent)
			side_number("select count(pg_notify('a', i::text)) from generate_series(1, 300) i");
		has_sent = true;
		if (messages == 300)
			shipopt_listener_free(TAKE(listener));
	}
	assert_int_equal(messages, 300);
	shipopt_pool_free(queued);
	shipopt_queue_free(queue);
	fixture_close();
}

static void a_queue_may_go_first(void **state)
{
	static const char *const channels[] = {"a"};
	shipopt_listener *listener;
	open_queued(64);
	assert_int_equal(shipopt_pool_listen(queued, channels, 1, hear, &heard[0], &listener, NULL), 0);
	assert_int_equal(shipopt_queue_dispatch(queue, 1, 20000), 1);
	side_number("select count(pg_notify('a', i::text)) from generate_series(1, 30) i");
	assert_int_equal(shipopt_queue_dispatch(queue, 1, 20000), 1);
	shipopt_queue_free(queue); /* the rest comes in this call and on scheduler threads */
	wait_heard(&heard[0], SHIPOPT_NOTIFICATION_MESSAGE, 30);
	end(&heard[0], listener);
	shipopt_pool_free(queued);
	fixture_close();
}

/* ---- leases ---------------------------------------------------------------------------------------------------- */

static void a_lease_that_listens_by_itself_does_no_harm(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	open_pool(settings);
	shipopt_lease *lease = acquire();
	run_number(lease, "listen mine");
	for (int i = 0; i < 20; i++) {
		side_number("select count(pg_notify('mine', repeat('x', 7000) || i)) from generate_series(1, 50) i");
		assert_int_equal(run_number(lease, "select 7"), 7);
	}
	int pid = shipopt_lease_backend_pid(lease);
	shipopt_lease_release(lease);
	assert_true(wait_stat(SHIPOPT_POOL_STAT_RESETS, 1));
	lease = acquire();
	assert_int_equal(shipopt_lease_backend_pid(lease), pid);
	assert_int_equal(run_number(lease, "select count(*) from pg_listening_channels()"), 0);
	shipopt_lease_release(lease);
	fixture_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_notification_comes_with_channel_payload_and_backend),
		cmocka_unit_test(listeners_of_a_pool_share_one_connection),
		cmocka_unit_test(names_are_taken_as_they_are),
		cmocka_unit_test(channels_come_and_go),
		cmocka_unit_test(many_long_names_are_asked_for_in_pieces),
		cmocka_unit_test(the_order_is_that_of_the_server),
		cmocka_unit_test(a_killed_connection_is_made_again_and_tells_of_the_gap_once),
		cmocka_unit_test(a_restart_of_the_server_is_survived),
		cmocka_unit_test(without_a_server_it_fails_once_and_goes_on_trying),
		cmocka_unit_test(what_finds_no_room_is_dropped_and_told),
		cmocka_unit_test(an_idle_session_is_not_ended_by_the_server),
		cmocka_unit_test(it_may_be_freed_at_any_time),
		cmocka_unit_test(closing_the_runtime_ends_it),
		cmocka_unit_test(a_gap_that_is_due_does_not_come_behind_the_end),
		cmocka_unit_test(inline_delivery_calls_on_the_reactor),
		cmocka_unit_test(a_queue_hands_them_out_on_the_threads_that_dispatch),
		cmocka_unit_test(a_queue_that_is_polled_gives_events),
		cmocka_unit_test(a_queue_may_go_first),
		cmocka_unit_test(a_lease_that_listens_by_itself_does_no_harm),
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
