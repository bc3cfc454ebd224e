/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "http/certificate.h"
#include "http/http.h"
#include "http/result.h"
#include "http/url.h"

#define NOV_6_1994_MS INT64_C(784111777000) /* 08:49:37 UTC, the date of RFC 9110's examples */
#define DAY_MS INT64_C(86400000)

static int64_t after(const char *value, int64_t now_ms)
{
	int64_t ms = -7;
	int r = http_parse_retry_after(value, now_ms, &ms);
	assert_true(r == 0 || (r == SHIPOPT_EPARSE && ms == -7));
	return r == 0 ? ms : -1;
}

static void retry_after_in_seconds_is_milliseconds_capped_at_a_century(void **state)
{
	assert_int_equal(after("3", 0), 3000);
	assert_int_equal(after("0", 0), 0);
	assert_int_equal(after(" \t120 ", 0), 120000);
	assert_int_equal(after("86400", 0), DAY_MS);
	assert_int_equal(after("86401", 0), DAY_MS + 1000);
	assert_int_equal(after("3155760000", 0), 36525 * DAY_MS);
	assert_int_equal(after("3155760001", 0), 36525 * DAY_MS);
	assert_int_equal(after("99999999999999999999999999999999", 0), 36525 * DAY_MS);
}

static void retry_after_as_each_of_the_three_dates_is_the_time_until_then(void **state)
{
	static const char *const dates[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994"};
	for (size_t i = 0; i < ARRAY_SIZE(dates); i++) {
		assert_int_equal(after(dates[i], NOV_6_1994_MS - 5000), 5000);
		assert_int_equal(after(dates[i], NOV_6_1994_MS), 0);
		assert_int_equal(after(dates[i], NOV_6_1994_MS + 1), 0);
		assert_int_equal(after(dates[i], NOV_6_1994_MS - 3 * DAY_MS), 3 * DAY_MS);
	}
	assert_int_equal(after("Thu, 01 Jan 1970 00:00:02 GMT", 0), 2000);
	assert_int_equal(after("Thu, 29 Feb 2024 23:59:59 GMT", INT64_C(1709251198000)), 1000);
	assert_int_equal(after("Fri, 01 Mar 2024 00:00:00 GMT", INT64_C(1709251198000)), 2000);
	assert_int_equal(after("Sat, 31 Dec 2016 23:59:60 GMT", INT64_C(1483228799000)), 1000);
	assert_int_equal(after("Tue Nov 15 08:12:31 1994", INT64_C(784887150000)), 1000);
}

static void a_two_digit_year_far_ahead_is_of_the_past_century(void **state)
{
	int64_t in_2026 = INT64_C(1767225600000);
	assert_int_equal(after("Thursday, 01-Jan-26 00:00:10 GMT", in_2026), 10000);
	assert_int_equal(after("Friday, 01-Jan-77 00:00:00 GMT", in_2026), 0);
	assert_int_equal(after("Wednesday, 01-Jan-75 00:00:00 GMT", in_2026), 17897 * DAY_MS);
	assert_int_equal(after("Fri, 31 Dec 9999 23:59:59 GMT", in_2026), 36525 * DAY_MS);
}

static void retry_after_that_is_neither_form_is_refused(void **state)
{
	static const char *const bad[] = {"", " ", "-1", "+3", "1.5", "3s", "0x10", "soon", "Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 GMT ,", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Noe 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
		"Sun, 32 Nov 1994 08:49:37 GMT", "Sunday, 06 Nov 1994 08:49:37 GMT", "Sun", "S", "Sun,", "Sun Nov",
		"Sun, 06 Nov 1994 08:49:37 PST", "Sun Nov 6 08:49:37 1994",
		"Sun, 06 Nov 1994 08:49:37 GMT                                            and a long tail"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (after(bad[i], 0) != -1)
			fail_msg("accepted \"%s\"", bad[i]);
}

static void urls_are_absolute_and_free_of_credentials(void **state)
{
	static const char *const good[] = {"https://api.easypost.com/v2", "http://127.0.0.1:8080", "HTTPS://h/",
		"http://[::1]:80/x", "https://host/a%20b"};
	static const char *const bad[] = {"", "api.easypost.com", "ftp://h/", "https://", "https:///x", "https://u@h/",
		"https://u:p@h/", "https://h/?q=1", "https://h/#f", "https://h/a b", "https://h/\xc3\xa9",
		"https://h/\n", "https://h:99999/", "https://h:port/", "http:/h", "file:///etc/passwd",
		"https://h\\@e/"};
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(http_check_url(good[i], NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		shipopt_error *error = NULL;
		if (http_check_url(bad[i], &error) != SHIPOPT_EPARSE)
			fail_msg("accepted \"%s\"", bad[i]);
		assert_non_null(shipopt_error_message(error));
		shipopt_error_unref(error);
	}
}

static void a_refused_url_keeps_its_password_to_itself(void **state)
{
	static const char *const urls[] = {"https://me:sesame@host/", "https://me:se/sesame@host/",
		"https://me:12/sesame@host/v2", "https://me:sesame/x@host", "https://host:sesame/v2",
		"https://me:1?sesame@host", "https://me:1#sesame@host", "sesame", "sesame://x"};
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		shipopt_error *error = NULL;
		assert_int_equal(http_check_url(urls[i], &error), SHIPOPT_EPARSE);
		assert_null(strstr(shipopt_error_message(error), "sesame"));
		shipopt_error_unref(error);
	}
}

static void a_malformed_proxy_is_refused_without_being_quoted(void **state)
{
	static const char *const bad[] = {"http://user:s3cr@sesame@127.0.0.1:1", "http://user:sesame@x@127.0.0.1:1",
		"http://user:s3cr/sesame@127.0.0.1:1", "http://user:12/sesame@127.0.0.1:1",
		"http://user:12#sesame@127.0.0.1:1", "http://user:12?sesame@127.0.0.1:1", "user:12/sesame@127.0.0.1:1",
		"http://user:sesame@127.0.0.1:99999", "http://user:sesame@127.0.0.1:port",
		"http://user:sesame@127.0.0.1:-1", "http://user:sesame@", "http://user:sesame@:8080",
		"bogus://user:sesame@127.0.0.1:1", "ftp://user:sesame@127.0.0.1:1", "file:///sesame",
		"http://user:sesame@ho st:1", "http://user:sesame@host:1/path", "http://user:sesame@host:1/?q",
		"http://user:sesa%00me@host:1", "http://sesame[", "http://", "://sesame"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct secret_forms secrets;
		shipopt_error *error = NULL;
		if (url_read_proxy(bad[i], &secrets, &error) != SHIPOPT_EINVAL)
			fail_msg("accepted \"%s\"", bad[i]);
		assert_null(secrets.first);
		assert_non_null(strstr(shipopt_error_message(error), "setting proxy: "));
		if (strstr(shipopt_error_message(error), "sesame") || strstr(shipopt_error_message(error), "s3cr"))
			fail_msg("\"%s\": %s", bad[i], shipopt_error_message(error));
		shipopt_error_unref(error);
	}
	assert_int_equal(mem_live_count(), 0);
}

static void a_proxy_may_have_a_password_in_every_form_and_it_is_known_then(void **state)
{
	static const struct {
		const char *proxy, *text, *blanked;
	} cases[] = {
		{"", "anything", "anything"},
		{"127.0.0.1", "127.0.0.1", "127.0.0.1"},
		{"host.example:3128", "host.example", "host.example"},
		{"http://host:3128/", "host", "host"},
		{"socks5h://[::1]:1080", "::1", "::1"},
		{"HTTPS://host", "host", "host"},
		{"http://user:opensesame@host:1", "user opensesame host", "user ********** host"},
		{"user:opensesame@host:1", "user opensesame host", "user ********** host"},
		{"http://user:open%40ses%2Fame@host:1", "open@ses/ame open%40ses%2fame",
			"************ ****************"},
		{"http://user:opensesame@host:1", "Basic dXNlcjpvcGVuc2VzYW1l", "Basic ********************"},
		{"http://tokentoken@host:1", "tokentoken Basic dG9rZW50b2tlbjo=", "********** Basic ****************"},
		{"http://tokentoken:@host:1", "tokentoken Basic dG9rZW50b2tlbjo=", "********** Basic ****************"},
		{"http://user:short@host:1", "short Basic dXNlcjpzaG9ydA==", "short Basic ****************"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct secret_forms secrets;
		char text[128];
		snprintf(text, sizeof(text), "%s", cases[i].text);
		assert_int_equal(url_read_proxy(cases[i].proxy, &secrets, NULL), 0);
		secret_blank_text(text, &secrets);
		assert_string_equal(text, cases[i].blanked);
		secret_forms_done(&secrets);
	}
	assert_int_equal(mem_live_count(), 0);
}

#ifdef SHIPOPT_FAULTS
static void a_proxy_whose_parts_cannot_be_had_is_refused(void **state)
{
	int r = SHIPOPT_ENOMEM;
	for (long passes = 0; r < 0; passes++) {
		struct secret_forms secrets;
		fault_arm(passes);
		r = url_read_proxy("http://user:opensesame@host:1", &secrets, NULL);
		assert_int_equal(r, fault_fired() ? SHIPOPT_ENOMEM : 0);
		fault_arm(-1);
		secret_forms_done(&secrets);
		assert_int_equal(mem_live_count(), 0);
	}
}
#endif

static void urls_to_send_to_may_have_a_query_but_not_be_endless(void **state)
{
	char text[URL_LENGTH_MAX + 2];
	memset(text, 'a', sizeof(text));
	memcpy(text, "http://", 7);
	text[URL_LENGTH_MAX + 1] = '\0';
	assert_int_equal(url_check(text, NULL), SHIPOPT_EPARSE);
	text[URL_LENGTH_MAX] = '\0';
	assert_int_equal(url_check(text, NULL), 0);
	assert_int_equal(url_check("https://h/x?page_size=5&a[]=1", NULL), 0);
	assert_int_equal(url_check(NULL, NULL), SHIPOPT_EPARSE);
}

static void a_message_of_libcurl_that_quotes_a_url_is_replaced(void **state)
{
	static const char *const said[] = {"", "Unsupported proxy syntax in 'http://user:s3cr@sesame@127.0.0.1:1'",
		"Unsupported proxy scheme for 'bogus://user:sesame", "Could not resolve proxy: sesame@host",
		"user:sesame@host"};
	for (size_t i = 0; i < ARRAY_SIZE(said); i++)
		assert_string_equal(result_text(CURLE_COULDNT_RESOLVE_PROXY, said[i]),
			curl_easy_strerror(CURLE_COULDNT_RESOLVE_PROXY));
	assert_string_equal(result_text(CURLE_COULDNT_CONNECT, "Failed to connect to h port 1"),
		"Failed to connect to h port 1");
}

static void statuses_promise_nothing_sent_only_when_nothing_was(void **state)
{
	for (int code = 1; code < CURL_LAST; code++) {
		int sent = result_status((CURLcode)code, true), unsent = result_status((CURLcode)code, false);
		assert_true(sent < 0 && unsent < 0);
		assert_true(sent != SHIPOPT_ECONNECT && sent != SHIPOPT_ETLS && sent != SHIPOPT_EINVAL);
	}
	assert_int_equal(result_status(CURLE_OK, true), 0);
	assert_int_equal(result_status(CURLE_COULDNT_RESOLVE_HOST, false), SHIPOPT_ECONNECT);
	assert_int_equal(result_status(CURLE_COULDNT_CONNECT, false), SHIPOPT_ECONNECT);
	assert_int_equal(result_status(CURLE_OPERATION_TIMEDOUT, false), SHIPOPT_ECONNECT);
	assert_int_equal(result_status(CURLE_PEER_FAILED_VERIFICATION, false), SHIPOPT_ETLS);
	assert_int_equal(result_status(CURLE_OPERATION_TIMEDOUT, true), SHIPOPT_ETIMEDOUT);
	assert_int_equal(result_status(CURLE_SEND_FAIL_REWIND, true), SHIPOPT_ENETWORK);
	assert_int_equal(result_status(CURLE_GOT_NOTHING, true), SHIPOPT_ENETWORK);
	assert_int_equal(result_status(CURLE_BAD_CONTENT_ENCODING, true), SHIPOPT_EPROTOCOL);
	assert_int_equal(result_status(CURLE_OUT_OF_MEMORY, true), SHIPOPT_ENOMEM);
}

static void the_store_is_shared_only_with_a_libcurl_that_keeps_it(void **state)
{
	assert_true(certificate_bundle_can_share(0x075801, "OpenSSL/3.0.22"));
	assert_true(certificate_bundle_can_share(0x080300, "OpenSSL/3.5.0"));
	assert_false(certificate_bundle_can_share(0x080100, "OpenSSL/3.0.8"));
	assert_false(certificate_bundle_can_share(0x080201, "OpenSSL/3.0.8"));
	assert_false(certificate_bundle_can_share(0x075801, "OpenSSL/1.1.1w"));
	assert_false(certificate_bundle_can_share(0x075801, "GnuTLS/3.7.9"));
	assert_false(certificate_bundle_can_share(0x075801, "OpenSSL/3.0.8 (GnuTLS/3.7.9)"));
	assert_false(certificate_bundle_can_share(0x075801, "(OpenSSL/3.0.8) GnuTLS/3.7.9"));
	assert_false(certificate_bundle_can_share(0x075801, NULL));
}

static void nothing_is_left_behind(void **state)
{
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(retry_after_in_seconds_is_milliseconds_capped_at_a_century),
		cmocka_unit_test(retry_after_as_each_of_the_three_dates_is_the_time_until_then),
		cmocka_unit_test(a_two_digit_year_far_ahead_is_of_the_past_century),
		cmocka_unit_test(retry_after_that_is_neither_form_is_refused),
		cmocka_unit_test(urls_are_absolute_and_free_of_credentials),
		cmocka_unit_test(a_refused_url_keeps_its_password_to_itself),
		cmocka_unit_test(a_message_of_libcurl_that_quotes_a_url_is_replaced),
		cmocka_unit_test(a_malformed_proxy_is_refused_without_being_quoted),
		cmocka_unit_test(a_proxy_may_have_a_password_in_every_form_and_it_is_known_then),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(a_proxy_whose_parts_cannot_be_had_is_refused),
#endif
		cmocka_unit_test(urls_to_send_to_may_have_a_query_but_not_be_endless),
		cmocka_unit_test(statuses_promise_nothing_sent_only_when_nothing_was),
		cmocka_unit_test(the_store_is_shared_only_with_a_libcurl_that_keeps_it),
		cmocka_unit_test(nothing_is_left_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
