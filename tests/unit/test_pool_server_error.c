/* SPDX-License-Identifier: MIT */
#include <shipopt/error.h>
#include <string.h>

#include "cmocka_test.h"
#include "pool/server/dial_failure.h"
#include "pool/server/server_error.h"

/* What is read from the server's and libpq's error texts, and what is not. */

/* ---- connects ---------------------------------------------------------------------------------------------------- */

static void check_connect(const char *said, int status, const char *sqlstate, const char *message)
{
	struct dial_failure failure;
	char text[1024];
	assert_true(strlen(said) < sizeof(text));
	memcpy(text, said, strlen(said) + 1);
	dial_failure_read(&failure, text);
	assert_string_equal(failure.message, message);
	assert_string_equal(failure.sqlstate, sqlstate);
	assert_int_equal(failure.status, status);
}

static void the_code_of_a_failed_connect_is_read_in_any_language(void **state)
{
	check_connect(
		"connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  28000: role \"nobody\" does not exist\n"
		"LOCATION:  InitializeSessionUserId, miscinit.c:761\n",
		SHIPOPT_EAUTH, "28000",
		"connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  role \"nobody\" does not exist");
	check_connect(
		"Verbindung zum Server ... fehlgeschlagen: FATAL:  3D000: Datenbank »x« existiert nicht\nORT:  InitPostgres, postinit.c:900\n",
		SHIPOPT_ENOTFOUND, "3D000",
		"Verbindung zum Server ... fehlgeschlagen: FATAL:  Datenbank »x« existiert nicht");
	check_connect(
		"connection to server at \"h\", port 1 failed: FATAL:  57P03: the database system is starting up\n",
		SHIPOPT_ENETWORK, "57P03",
		"connection to server at \"h\", port 1 failed: FATAL:  the database system is starting up");
	check_connect("connection to server at \"h\", port 1 failed: FATAL:  53300: sorry, too many clients already\n",
		SHIPOPT_ENETWORK, "53300",
		"connection to server at \"h\", port 1 failed: FATAL:  sorry, too many clients already");
}

static void a_failed_connect_without_a_code_may_heal(void **state)
{
	check_connect("connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n"
		      "\tIs the server running on that host and accepting TCP/IP connections?\n",
		SHIPOPT_ENETWORK, "",
		"connection to server at \"127.0.0.1\", port 1 failed: Connection refused Is the server running on that host and "
		"accepting TCP/IP connections?");
	check_connect("", SHIPOPT_ENETWORK, "", "");
	check_connect("FATAL:  2800: too short\n", SHIPOPT_ENETWORK, "", "FATAL:  2800: too short");
}

static void the_last_host_decides(void **state)
{
	check_connect(
		"connection to server at \"::1\", port 5 failed: Connection refused\n"
		"connection to server at \"127.0.0.1\", port 5 failed: FATAL:  28P01: password authentication failed\n"
		"DETAIL:  a secret of the server\nLOCATION:  auth_failed, auth.c:335\n"
		"password retrieved from file \"/home/app/.pgpass\"\n",
		SHIPOPT_EAUTH, "28P01",
		"connection to server at \"::1\", port 5 failed: Connection refused connection to server at \"127.0.0.1\", port 5 "
		"failed: FATAL:  password authentication failed password retrieved from file \"/home/app/.pgpass\"");
	check_connect("connection to server at \"a\", port 5 failed: FATAL:  28000: no\nLOCATION:  x\n"
		      "connection to server at \"b\", port 5 failed: Connection refused\n",
		SHIPOPT_ENETWORK, "",
		"connection to server at \"a\", port 5 failed: FATAL:  no connection to server at \"b\", port 5 failed: Connection refused");
}

/* ---- places ------------------------------------------------------------------------------------------------------ */

static void check_copy(const char *context, const char *place)
{
	char text[160];
	server_error_read_copy_place(context, text, sizeof(text));
	assert_string_equal(text, place);
}

static void the_place_in_the_data_of_a_copy_is_read_without_the_data(void **state)
{
	check_copy("COPY labels, line 7, column amount: \"abc\"", " (line 7, column amount of the data)");
	check_copy("COPY labels, line 7, column amount: null input", " (line 7, column amount of the data)");
	check_copy("COPY labels, line 12: \"k1\tsecret\"", " (line 12 of the data)");
	check_copy("COPY labels, line 3", " (line 3 of the data)");
	check_copy(
		"PL/pgSQL function f() line 3 at RAISE\nCOPY t, line 5, column c: \"x\nCOPY t, line 9, column secret\"",
		" (line 5, column c of the data)");
	check_copy("PL/pgSQL function f() line 3 at RAISE", "");
	check_copy("COPY labels, line : secret", "");
	check_copy("COPY labels, Zeile 7, Spalte amount: »abc«", "");
	check_copy(NULL, "");
}

static void check_statement(const char *sql, const char *position, const char *place)
{
	char text[160];
	server_error_read_statement_place(sql, position, text, sizeof(text));
	assert_string_equal(text, place);
}

static void a_position_in_a_statement_is_a_line_and_a_column(void **state)
{
	check_statement("selec 1", "1", " (line 1, column 1 of the statement)");
	check_statement("select 1,\n  nothing", "13", " (line 2, column 3 of the statement)");
	check_statement("select '\xc3\xa4\xc3\xb6', nothing", "14", " (line 1, column 14 of the statement)");
	check_statement("select 1", "0", "");
	check_statement("select 1", "x", "");
	check_statement("select 1", NULL, "");
	check_statement(NULL, "1", "");
}

/* ---- codes ------------------------------------------------------------------------------------------------------- */

static void every_class_has_its_code(void **state)
{
	static const struct {
		const char *sqlstate;
		int code;
	} cases[] = {{"57014", SHIPOPT_ECANCELED}, {"57P01", SHIPOPT_ENETWORK}, {"08006", SHIPOPT_ENETWORK},
		{"40001", SHIPOPT_EBUSY}, {"23505", SHIPOPT_ECONFLICT}, {"22P02", SHIPOPT_EINVAL},
		{"42501", SHIPOPT_EAUTH}, {"42601", SHIPOPT_EINVAL}, {"28P01", SHIPOPT_EAUTH},
		{"25P02", SHIPOPT_ESTATE}, {"0A000", SHIPOPT_EUNSUPPORTED}, {"55P03", SHIPOPT_EBUSY},
		{"P0001", SHIPOPT_EDATABASE}, {"53100", SHIPOPT_EDATABASE}, {NULL, SHIPOPT_EDATABASE}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(sqlstate_code(cases[i].sqlstate), cases[i].code);
	assert_true(sqlstate_is_conflict("40P01"));
	assert_false(sqlstate_is_conflict(NULL));
	assert_int_equal(sqlstate_connect_code("3D000"), SHIPOPT_ENOTFOUND);
	assert_int_equal(sqlstate_connect_code("42501"), SHIPOPT_EAUTH);
	assert_int_equal(sqlstate_connect_code(NULL), SHIPOPT_ENETWORK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_code_of_a_failed_connect_is_read_in_any_language),
		cmocka_unit_test(a_failed_connect_without_a_code_may_heal),
		cmocka_unit_test(the_last_host_decides),
		cmocka_unit_test(the_place_in_the_data_of_a_copy_is_read_without_the_data),
		cmocka_unit_test(a_position_in_a_statement_is_a_line_and_a_column),
		cmocka_unit_test(every_class_has_its_code),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
