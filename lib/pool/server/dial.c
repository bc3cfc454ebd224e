/* SPDX-License-Identifier: MIT */
#include "pool/server/dial.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/text.h"

#define HOST_LIST_SIZE 1024

static void dial_keep_notice(void *argument, const PGresult *result)
{
	struct dial *dial = argument;
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	/* Class 57P says why the server ends the connection. Other notices, such as on collations, do not matter
	 * here. */
	if (!sqlstate || !message || strncmp(sqlstate, "57P", 3) != 0)
		return;
	conninfo_copy_said(dial->conninfo, dial->pg, message, dial->notice, sizeof(dial->notice));
}

/* Waits for what libpq wants. False when the pool ends. */
static bool dial_wait_socket(struct dial *dial, PostgresPollingStatusType wanted, int64_t until_us)
{
	struct pollfd entry = {.fd = PQsocket(dial->pg), .events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT};
	while (!atomic_load(dial->is_closing)) {
		int64_t left_ms = (until_us - clock_now_us()) / 1000;
		int r = poll(&entry, 1, (int)MAX(MIN(left_ms, DIAL_LOOK_MS), 0));
		if (r > 0 || (r < 0 && errno != EINTR) || left_ms <= 0)
			return true;
	}
	return false;
}

struct dial_host_watch {
	char host[128], port[16], address[64];
	int64_t until_us;
};

static void dial_copy_text(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text ? text : "");
}

/* Starts a new deadline when libpq has gone on to another host or address. */
static void dial_watch_host(struct dial_host_watch *watch, PGconn *pg, int64_t timeout_us)
{
	const char *host = PQhost(pg), *port = PQport(pg), *address = PQhostaddr(pg);
	if (watch->until_us && strncmp(watch->host, host ? host : "", sizeof(watch->host) - 1) == 0 &&
		text_equal(watch->port, port ? port : "") && text_equal(watch->address, address ? address : ""))
		return;
	dial_copy_text(watch->host, sizeof(watch->host), host);
	dial_copy_text(watch->port, sizeof(watch->port), port);
	dial_copy_text(watch->address, sizeof(watch->address), address);
	watch->until_us = clock_now_us() + timeout_us;
}

static void dial_set_failure(struct dial *dial, const char *message)
{
	dial->failure = (struct dial_failure){.status = SHIPOPT_ENETWORK};
	dial_copy_text(dial->failure.message, sizeof(dial->failure.message), message);
}

enum dial_result { DIAL_CONNECTED, DIAL_FAILED, DIAL_SLOW };

static enum dial_result dial_run_connect(struct dial *dial)
{
	struct dial_host_watch watch = {.until_us = 0};
	int64_t timeout_us = dial->timeout_us;
	PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
	while (PQstatus(dial->pg) != CONNECTION_BAD) {
		dial_watch_host(&watch, dial->pg, timeout_us);
		if (!dial_wait_socket(dial, wanted, watch.until_us)) {
			dial_set_failure(dial, "the pool is closing");
			return DIAL_FAILED;
		}
		if (clock_now_us() >= watch.until_us) {
			char message[DIAL_MESSAGE_SIZE];
			snprintf(message, sizeof(message),
				"%.127s port %.15s did not answer within connect_timeout_ms %lld", watch.host,
				watch.port, (long long)(timeout_us / 1000));
			dial_set_failure(dial, message);
			return DIAL_SLOW;
		}
		wanted = PQconnectPoll(dial->pg);
		if (wanted == PGRES_POLLING_OK)
			return DIAL_CONNECTED;
		if (wanted == PGRES_POLLING_FAILED)
			break;
	}
	return DIAL_FAILED;
}

static size_t dial_list_count(const char *list)
{
	size_t count = 1;
	for (; *list; list++)
		count += *list == ',';
	return count;
}

/* "a,b,c" rotated by one is "b,c,a". */
static const char *dial_turn_list(const char *list, size_t turns, char *text)
{
	const char *rest = list;
	if (strlen(list) >= HOST_LIST_SIZE)
		return list;
	for (size_t i = 0; i < turns; i++)
		rest = strchr(rest, ',') + 1;
	snprintf(text, HOST_LIST_SIZE, "%s%s%.*s", rest, rest > list ? "," : "",
		(int)(rest > list ? rest - list - 1 : 0), list);
	return text;
}

struct dial_targets {
	const char *values[CONNINFO_KEYWORDS_MAX + 1];
	char texts[3][HOST_LIST_SIZE];
	size_t count; /* of hosts */
};

static void dial_turn_hosts(const struct conninfo *conninfo, size_t turns, struct dial_targets *targets)
{
	size_t used = 0;
	targets->count = 1;
	for (size_t i = 0; i < conninfo->count; i++) {
		const char *keyword = conninfo->keywords[i], *value = conninfo->values[i];
		targets->values[i] = value;
		if (!text_equal(keyword, "host") && !text_equal(keyword, "hostaddr") && !text_equal(keyword, "port"))
			continue;
		size_t count = dial_list_count(value);
		targets->count = MAX(targets->count, count);
		if (count > 1 && turns > 0 && turns < count)
			targets->values[i] = dial_turn_list(value, turns, targets->texts[used++]);
	}
	targets->values[conninfo->count] = NULL;
}

static bool dial_connect_some(struct dial *dial)
{
	const struct conninfo *conninfo = dial->conninfo;
	struct dial_targets targets = {.count = 1};
	for (size_t turns = 0; turns < targets.count; turns++) {
		dial_turn_hosts(conninfo, turns, &targets);
		if (!fault_point())
			dial->pg = PQconnectStartParams(conninfo->keywords, targets.values, 0);
		if (!dial->pg)
			return false;
		PQsetNoticeReceiver(dial->pg, dial_keep_notice, dial);
		PQsetErrorVerbosity(dial->pg, PQERRORS_VERBOSE); /* for the SQLSTATE; dial_failure.h */
		enum dial_result outcome = dial_run_connect(dial);
		if (outcome != DIAL_SLOW)
			return outcome == DIAL_CONNECTED;
		if (turns + 1 < targets.count)
			PQfinish(TAKE(dial->pg));
	}
	return false;
}

static void dial_take_failure(struct dial *dial)
{
	char said[4 * DIAL_MESSAGE_SIZE];
	if (dial->failure.message[0])
		return;
	if (dial->pg) {
		conninfo_copy_said(dial->conninfo, dial->pg, PQerrorMessage(dial->pg), said, sizeof(said));
		dial_failure_read(&dial->failure, said);
		if (dial->failure.status == SHIPOPT_ENETWORK && PQconnectionNeedsPassword(dial->pg))
			dial->failure.status = SHIPOPT_EAUTH;
	}
	if (!dial->failure.message[0])
		dial_set_failure(dial, "out of memory");
}

/* ---- texts --------------------------------------------------------------------------------------------------- */

void dial_error_text(const struct dial *dial, PGconn *pg, char *text, size_t size)
{
	conninfo_copy_said(dial->conninfo, pg, pg ? PQerrorMessage(pg) : NULL, text, size);
	for (char *p = text; *p; p++)
		if (*p == '\n' || *p == '\r' || *p == '\t')
			*p = ' ';
	for (size_t length = strlen(text); length && text[length - 1] == ' '; length--)
		text[length - 1] = '\0';
}

void dial_describe_loss(const struct dial *dial, PGconn *pg, const char *reason, char *text, size_t size)
{
	char said[DIAL_MESSAGE_SIZE];
	if (dial->notice[0])
		conninfo_copy_said(dial->conninfo, pg, dial->notice, said, sizeof(said));
	else
		dial_error_text(dial, pg, said, sizeof(said));
	snprintf(text, size, "%s%s%s", reason, said[0] ? ": " : "", said);
}

void dial_run(struct dial *dial)
{
	int64_t begun_us = clock_now_us();
	dial->failure.message[0] = dial->notice[0] = '\0';
	if (dial_connect_some(dial)) {
		PQsetErrorVerbosity(dial->pg, PQERRORS_TERSE); /* DETAIL and CONTEXT quote rows and statements */
		dial->failure = (struct dial_failure){.status = 0};
	} else {
		dial_take_failure(dial);
		PQfinish(TAKE(dial->pg));
	}
	dial->us = clock_now_us() - begun_us;
}
