/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shipopt/pool.h>

#include "base/memory.h"
#include "base/text.h"
#include "cmocka_test.h"
#include "pool/server/conninfo.h"

/* Connection strings taken apart: defaults, what wins, and that passwords stay inside. */

static struct conninfo conninfo;

static void open_conninfo(const char *text)
{
	shipopt_error *error = NULL;
	int r = conninfo_init(&conninfo, "conninfo", text, &error);
	if (r < 0)
		print_error("%s\n", shipopt_error_message(error));
	assert_int_equal(r, 0);
	assert_null(conninfo.keywords[conninfo.count]);
	assert_null(conninfo.values[conninfo.count]);
}

static const char *value_of(const char *keyword)
{
	const char *found = NULL;
	for (size_t i = 0; i < conninfo.count; i++) {
		if (!text_equal(conninfo.keywords[i], keyword))
			continue;
		assert_null(found); /* each but once */
		found = conninfo.values[i];
	}
	return found;
}

static void check(const char *keyword, const char *value)
{
	assert_non_null(value_of(keyword));
	assert_string_equal(value_of(keyword), value);
}

static void defaults_are_added_to_an_empty_string(void **state)
{
	static const char *const empty[] = {"", NULL, "postgresql://", "  "};
	for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
		open_conninfo(empty[i]);
		check("keepalives", "1");
		check("keepalives_idle", "30");
		check("keepalives_interval", "10");
		check("keepalives_count", "3");
		check("tcp_user_timeout", "30000");
		check("client_encoding", "UTF8");
		check("fallback_application_name", "libshipopt");
		assert_int_equal(conninfo.count, 7);
		assert_null(value_of("password"));
		assert_null(value_of("host")); /* libpq's own defaults, the environment among them, hold */
		conninfo_done(&conninfo);
	}
}

static void what_the_string_says_wins(void **state)
{
	open_conninfo("host=a,b port=1,2 keepalives=0 keepalives_idle=7 tcp_user_timeout=0 client_encoding=LATIN1 "
		      "fallback_application_name='my host' target_session_attrs=read-write options='-c work_mem=1MB'");
	check("host", "a,b");
	check("port", "1,2");
	check("keepalives", "0");
	check("keepalives_idle", "7");
	check("keepalives_interval", "10");
	check("tcp_user_timeout", "0");
	check("client_encoding", "LATIN1");
	check("fallback_application_name", "my host");
	check("target_session_attrs", "read-write");
	check("options", "-c work_mem=1MB");
	conninfo_done(&conninfo);
	open_conninfo("postgres://joe@[::1]:5433,example.com/ships?keepalives_idle=9&application_name=x%20y");
	check("host", "::1,example.com");
	check("port", "5433,");
	check("dbname", "ships");
	check("user", "joe");
	check("keepalives_idle", "9");
	check("application_name", "x y");
	check("fallback_application_name", "libshipopt");
	conninfo_done(&conninfo);
}

static void every_keyword_libpq_knows_has_room(void **state)
{
	char text[8192] = "";
	size_t count = 0;
	PQconninfoOption *options = PQconndefaults();
	assert_non_null(options);
	for (PQconninfoOption *option = options; option->keyword; option++, count++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s=1 ", option->keyword);
	PQconninfoFree(options);
	open_conninfo(text);
	assert_in_range(conninfo.count, count, CONNINFO_KEYWORDS_MAX);
	conninfo_done(&conninfo);
}

static void passwords_are_blanked_in_whatever_libpq_says(void **state)
{
	static const struct {
		const char *conninfo, *said, *shown;
	} cases[] = {
		{"password=hunter2", "bad password hunter2, really hunter2", "bad password *******, really *******"},
		{"password='hun ter2'", "\"hun ter2\"", "\"********\""},
		{"password='it\\'s'", "it's it", "**** it"},
		{"postgresql://joe:hunter2@host/db", "joe:hunter2@host", "joe:*******@host"},
		{"postgresql://joe:hun%20ter%32@host/db", "hun ter2", "********"},
		{"postgresql://host/db?password=hunter2&user=joe", "hunter2hunter2", "**************"},
		{"postgresql://host/db?sslpassword=keyword", "the key of keyword", "the key of *******"},
		{"sslpassword=keyword password=hunter2", "keyword and hunter2", "******* and *******"},
		{"password=abcd sslpassword=abcdef", "abcdef abcd", "****** ****"},
		{"sslpassword=abcd password=abcdef", "abcdef abcd", "****** ****"},
		{"password=aaaa", "aaaaaaaaa", "********a"},
		{"password=aaa", "aaaaaaaaa", "aaaaaaaaa"}, /* too short to be told from other text */
		{"password=*", "bigint * text", "bigint * text"},
		{"password=** sslpassword=*", "bigint ** text", "bigint ** text"},
		{"password=****", "a ******** b", "a ******** b"},
		{"sslpassword=***** password=******", "a ******************** b", "a ******************** b"},
		{"password='a/b\"c'", "\"a\\/b\\\"c\" a%2Fb%22c", "\"*******\" *********"},
		{"password=p\xc3\xa4ss", "p\xc3\xa4ss", "*****"},
		{"password=''", "nothing to hide", "nothing to hide"},
		{"passfile=/etc/word user=joe service=''", "/etc/word joe", "/etc/word joe"}, /* no secrets */
		{"", "nothing at all", "nothing at all"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[128];
		open_conninfo(cases[i].conninfo);
		conninfo_copy_said(&conninfo, NULL, cases[i].said, text, sizeof(text));
		assert_string_equal(text, cases[i].shown);
		conninfo_done(&conninfo);
	}
	char text[128];
	open_conninfo("password=hunter2");
	conninfo_copy_said(&conninfo, NULL, NULL, text, sizeof(text));
	assert_string_equal(text, "");
	/* Blanked before it is cut, at every place. */
	for (size_t size = 1; size < 20; size++) {
		conninfo_copy_said(&conninfo, NULL, "bad password hunter2", text, size);
		assert_int_equal(strlen(text), size - 1);
		assert_memory_equal(text, "bad password *******", size - 1);
	}
	conninfo_done(&conninfo);
}

/* The password is not in the string: libpq has it from the environment, or from a file. */
static void a_password_from_elsewhere_is_blanked_too(void **state)
{
	static const char *const words[] = {"hunter2", "*", "**", "****"};
	char text[128];
	open_conninfo("host=127.0.0.1 port=1");
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		setenv("PGPASSWORD", words[i], 1);
		PGconn *pg = PQconnectStartParams(conninfo.keywords, conninfo.values, 0);
		assert_string_equal(PQpass(pg), words[i]);
		conninfo_copy_said(&conninfo, pg, "hunter2 * ** **** hunter2", text, sizeof(text));
		assert_string_equal(text, i == 0 ? "******* * ** **** *******" : "hunter2 * ** **** hunter2");
		PQfinish(pg);
	}
	unsetenv("PGPASSWORD");
	conninfo_done(&conninfo);
}

static const char *const broken[] = {
	"password=hunter2 =",
	"password=hunter2 no_such_keyword=1",
	"hunter2",
	"password='hunter2",
	"password=hunter2 host",
	"postgresql://joe:hunter2@[::1",
	"postgresql://joe:hunter2@host:port:more/db?x",
	"postgresql://joe:hunter2@host/db?hunter2=1",
	"postgresql://joe:hunter2%zz@host/db",
	"postgresql://joe:hunter2@host/db?sslpassword=hunter2=",
	"service=no_such_service password=hunter2",
	/* What libpq would take for a host, a port or a database, and quote. */
	"postgresql://joe:p@hunter2@host/db",
	"postgresql://joe:hunter2@@host/db",
	"postgresql://joe:p@ss/hunter2@host/db",
	"postgresql://joe:p@ss@hunter2?connect_timeout=2",
	"postgresql://joe:hunter2/x@host/db",
	"postgresql://joe:12/hunter2@host/db",
	"postgres://joe:/hunter2@host/db",
	"postgresql://joe:hunter2#/x@host/db",
	"postgresql://joe@server:hunter2@host/db",
	"postgresql://joe@host:hunter2/db",
	"postgresql://joe:p%40ss@host:5432hunter2/db",
	"postgresql://host:0/hunter2",
	"postgresql://host:65536/hunter2",
	"postgresql://host:1,other:99999999999999999999/hunter2",
	"host=joe:hunter2@host",
	"host=a,joe:hunter2@host",
	"hostaddr=joe:hunter2@host",
	"host=a port=hunter2",
	"host=a port=-1 dbname=hunter2",
	"dbname=postgresql://joe:hunter2@host/db",
};

static void what_only_looks_malformed_is_taken(void **state)
{
	static const char *const good[][3] = {
		{"postgresql://joe:p%40ss%2Fw@host/db", "password", "p@ss/w"},
		{"postgresql://joe:p#s?s@host/db", "password", "p#s?s"},
		{"postgresql://joe%40server:pass@host:5432/db", "user", "joe@server"},
		{"postgresql://joe:pass@host/d%40b", "dbname", "d@b"},
		{"postgresql://host/db?password=p@s/s", "password", "p@s/s"},
		{"postgresql://joe:pass@host/db?password=p@s/s", "password", "p@s/s"},
		{"postgresql://joe:pass@h1:1,h2,h3:65535/db", "port", "1,,65535"},
		{"host=@abstract,/tmp user=joe@server password='p@s s'", "password", "p@s s"},
		{"host=h port=' 5432 ' dbname='a=b@c'", "dbname", "a=b@c"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		open_conninfo(good[i][0]);
		check(good[i][1], good[i][2]);
		conninfo_done(&conninfo);
	}
}

static void errors_of_broken_strings_do_not_quote_them(void **state)
{
	uint64_t live = mem_live_count();
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		shipopt_error *error = NULL;
		int r = conninfo_init(&conninfo, "listen_conninfo", broken[i], &error);
		if (strncmp(broken[i], "service", 7) == 0 && r == 0) { /* it is looked up by the connect */
			conninfo_done(&conninfo);
			continue;
		}
		assert_int_equal(r, SHIPOPT_EPARSE);
		assert_non_null(strstr(shipopt_error_message(error), "listen_conninfo"));
		assert_null(strstr(shipopt_error_message(error), "hunter2"));
		shipopt_error_unref(error);
	}
	assert_int_equal(mem_live_count(), live);
}

static char logged[8192];

static void keep_log(void *userdata, int level, const char *message)
{
	size_t length = strlen(logged);
	snprintf(logged + length, sizeof(logged) - length, "%s\n", message);
}

static shipopt_runtime *logging_runtime(void)
{
	shipopt_runtime_config *config;
	shipopt_runtime *runtime;
	assert_int_equal(shipopt_runtime_config_new(&config), 0);
	shipopt_runtime_config_set_int(config, SHIPOPT_RUNTIME_LOG_LEVEL, SHIPOPT_LOG_DEBUG);
	shipopt_runtime_config_set_log(config, keep_log, NULL);
	assert_int_equal(shipopt_runtime_new(config, &runtime, NULL), 0);
	shipopt_runtime_config_free(config);
	return runtime;
}

static void a_pool_keeps_them_out_of_errors_and_log_lines(void **state)
{
	static const char *const unreachable[] = {
		"host=/no/such/hunter2/folder password=hunter2",
		"postgresql://joe:hunter2@localhost:1/db?connect_timeout=2",
		"host=127.0.0.1 port=1 password=hunter2 sslpassword=hunter2 sslmode=require",
		"host=hunter2.invalid password=hunter2",
		"service=hunter2 password=hunter2",
		"host=/tmp passfile=/no/such/file password=hunter2 port=1",
	};
	uint64_t live = mem_live_count();
	shipopt_runtime *runtime = logging_runtime();
	for (size_t i = 0; i < ARRAY_SIZE(unreachable) + ARRAY_SIZE(broken); i++) {
		shipopt_pool_config *config;
		shipopt_pool *pool;
		shipopt_query *query;
		shipopt_error *error = NULL;
		shipopt_op *op;
		assert_int_equal(shipopt_pool_config_new(&config), 0);
		shipopt_pool_config_set(config, SHIPOPT_POOL_CONNINFO,
			i < ARRAY_SIZE(unreachable) ? unreachable[i] : broken[i - ARRAY_SIZE(unreachable)]);
		shipopt_pool_config_set_int(config, SHIPOPT_POOL_ACQUIRE_TIMEOUT_MS, 100);
		assert_null(shipopt_pool_config_error(config));
		int r = shipopt_pool_new(runtime, config, &pool, &error);
		shipopt_pool_config_free(config);
		if (error)
			assert_null(strstr(shipopt_error_message(error), "hunter2"));
		shipopt_error_unref(error);
		if (r < 0)
			continue;
		assert_int_equal(shipopt_query_new("select 1", &query, NULL), 0);
		assert_int_equal(shipopt_pool_query(pool, query, NULL, NULL, &op), 0);
		assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ETIMEDOUT);
		const char *message = shipopt_error_message(shipopt_op_error(op));
		assert_non_null(message);
		assert_non_null(strstr(message, "no connection within"));
		assert_null(strstr(message, "hunter2"));
		shipopt_op_unref(op);
		shipopt_query_free(query);
		shipopt_pool_free(pool);
	}
	assert_int_equal(shipopt_runtime_close(runtime, 10000), 0);
	shipopt_runtime_free(runtime);
	assert_true(strlen(logged) > 0);
	assert_null(strstr(logged, "hunter2"));
	assert_int_equal(mem_live_count(), live);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_added_to_an_empty_string),
		cmocka_unit_test(what_the_string_says_wins),
		cmocka_unit_test(every_keyword_libpq_knows_has_room),
		cmocka_unit_test(passwords_are_blanked_in_whatever_libpq_says),
		cmocka_unit_test(a_password_from_elsewhere_is_blanked_too),
		cmocka_unit_test(what_only_looks_malformed_is_taken),
		cmocka_unit_test(errors_of_broken_strings_do_not_quote_them),
		cmocka_unit_test(a_pool_keeps_them_out_of_errors_and_log_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
