/* SPDX-License-Identifier: MIT */
#include "sandbox_orders.h"

#include <stdlib.h>

#include "base/text.h"

/*
 * The sandbox's answers against recordings of the real service, where they are at hand (easypost/recorded.jsonl in the
 * folder that SHIPOPT_SHARED names): each recorded request of a kind the sandbox answers is sent to it as it was
 * recorded, with the ids of objects that were made before in this run put for the recorded ones. Status, keys and types
 * must be the same; values are not compared, and null stands for any type.
 */
#define RECORDINGS_MAX ((size_t)64 << 20)
#define IDS_MAX 64

static struct sandbox sandbox;
static size_t compared;

/* Recorded id → the sandbox's, of one cassette. */
static struct {
	char recorded[48], ours[48];
} ids[IDS_MAX];
static size_t id_count;

static bool read_recordings(struct buffer *ret_text)
{
	const char *folder = getenv("SHIPOPT_SHARED");
	char path[1024], bytes[65536];
	size_t length;
	snprintf(path, sizeof(path), "%s/easypost/recorded.jsonl", folder ? folder : "../shared");
	FILE *file = fopen(path, "r");
	if (!file) {
		print_message("skipped: no %s\n", path);
		return false;
	}
	while ((length = fread(bytes, 1, sizeof(bytes), file)) > 0)
		assert_int_equal(buffer_append(ret_text, bytes, length), 0);
	fclose(file);
	return true;
}

static void compare(struct json_value recorded, struct json_value ours, const char *where);

static void compare_objects(struct json_value recorded, struct json_value ours, const char *where)
{
	struct json_iterator it;
	for (json_members(recorded, &it); json_next(&it);) {
		char path[512];
		struct json_value value;
		/* Details of a verification that the sandbox did not make, and names of free choice. */
		if (strcmp(it.key, "verifications") == 0 || strcmp(it.key, "options") == 0)
			continue;
		snprintf(path, sizeof(path), "%s.%s", where, it.key);
		if (!json_get(ours, it.key, &value))
			fail_msg("%s is missing", path);
		compare(it.value, value, path);
	}
}

static void compare(struct json_value recorded, struct json_value ours, const char *where)
{
	struct json_iterator a, b;
	enum json_type recorded_type = json_type(recorded), our_type = json_type(ours);
	if (recorded_type == JSON_NULL || our_type == JSON_NULL)
		return;
	if (recorded_type != our_type)
		fail_msg("%s: type %d was recorded, not %d", where, recorded_type, our_type);
	if (recorded_type == JSON_OBJECT)
		compare_objects(recorded, ours, where);
	if (recorded_type != JSON_ARRAY)
		return;
	json_items(recorded, &a);
	json_items(ours, &b);
	if (json_next(&a) && json_next(&b))
		compare(a.value, b.value, where);
}

static void learn_id(struct json_value recorded, struct json_value ours)
{
	const char *a = json_get_text(recorded, "id"), *b = json_get_text(ours, "id");
	if (!a || !b || id_count == IDS_MAX)
		return;
	snprintf(ids[id_count].recorded, sizeof(ids[0].recorded), "%s", a);
	snprintf(ids[id_count++].ours, sizeof(ids[0].ours), "%s", b);
}

/* A shipment's rates by the name of the service: a purchase asks for one of them. */
static void learn_ids(struct json_value recorded, struct json_value ours)
{
	struct json_iterator it, other;
	struct json_value rates, our_rates;
	learn_id(recorded, ours);
	if (!json_get(recorded, "rates", &rates) || !json_get(ours, "rates", &our_rates))
		return;
	for (json_items(rates, &it); json_next(&it);)
		for (json_items(our_rates, &other); json_next(&other);)
			if (text_equal(json_get_text(it.value, "service"), json_get_text(other.value, "service")))
				learn_id(it.value, other.value);
}

/* Appends `text` with our ids for the recorded ones. False: it names an object we never made. */
static bool append_translated(struct buffer *out, const char *text)
{
	static const char *const prefixes[] = {"shp_", "adr_", "prcl_", "trk_", "cstinfo_", "cstitem_", "rate_"};
	while (*text) {
		size_t i = 0, p = 0;
		while (i < id_count && !text_has_prefix(text, ids[i].recorded))
			i++;
		while (p < ARRAY_SIZE(prefixes) && !text_has_prefix(text, prefixes[p]))
			p++;
		if (i < id_count) {
			buffer_append_text(out, ids[i].ours);
			text += strlen(ids[i].recorded);
			continue;
		}
		if (p < ARRAY_SIZE(prefixes) && strspn(text + strlen(prefixes[p]), "0123456789abcdef") == 32)
			return false;
		buffer_append_byte(out, *text++);
	}
	return true;
}

static bool is_answered(const char *method, const char *path)
{
	static const char *const kinds[] = {"/v2/shipments", "/v2/addresses", "/v2/parcels", "/v2/trackers",
		"/v2/customs_"};
	static const char *const others[] = {"smartrate", "/luma", "/insure", "/forms", "batch"};
	bool is = false;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		is |= text_has_prefix(path, kinds[i]);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		is = is && !strstr(path, others[i]);
	return is && (strcmp(method, "POST") == 0 || strcmp(method, "GET") == 0);
}

static void replay(struct json_value row)
{
	const char *method = json_get_text(row, "method"), *url = json_get_text(row, "url");
	const char *request = json_get_text(row, "request"), *response = json_get_text(row, "response");
	struct json_value status;
	int64_t recorded_status = 0;
	struct buffer path, sent, body;
	assert_true(json_get(row, "status", &status) && json_i64(status, &recorded_status));
	if (!is_answered(method, url))
		return;
	buffer_init(&path, 65536);
	buffer_init(&sent, 1 << 20);
	buffer_init(&body, 1 << 20);
	bool is_known = append_translated(&path, url) && append_translated(&sent, request ? request : "");
	if (is_known) {
		bool is_post = strcmp(method, "POST") == 0;
		int our_status = is_post ? sandbox_post(&sandbox, buffer_text(&path), buffer_text(&sent), &body)
					 : sandbox_get(&sandbox, buffer_text(&path), &body);
		bool is_tracker = is_post && strcmp(url, "/v2/trackers") == 0; /* 200 or 201: whether it was there */
		if (our_status != recorded_status && !is_tracker)
			fail_msg("%s %s: status %d, %d was recorded: %s", method, url, our_status, (int)recorded_status,
				buffer_text(&body));
		json_document *recorded = NULL, *ours = parse(&body);
		assert_int_equal(json_document_parse(response, strlen(response), &recorded, NULL), 0);
		compare(json_root(recorded), json_root(ours), url);
		learn_ids(json_root(recorded), json_root(ours));
		json_document_free(recorded);
		json_document_free(ours);
		compared++;
	}
	buffer_done(&path);
	buffer_done(&sent);
	buffer_done(&body);
}

static void recorded_requests_get_answers_of_the_recorded_shape(void **state)
{
	struct buffer text;
	char cassette[256] = "";
	buffer_init(&text, RECORDINGS_MAX);
	if (!read_recordings(&text)) {
		buffer_done(&text);
		return;
	}
	assert_int_equal(sandbox_start(&sandbox, NULL), 0);
	for (char *line = text.data, *end; line && *line; line = end) {
		end = strchr(line, '\n');
		size_t length = end ? (size_t)(end - line) : strlen(line);
		json_document *row = NULL;
		assert_int_equal(json_document_parse(line, length, &row, NULL), 0);
		if (!text_equal(cassette, json_get_text(json_root(row), "cassette"))) {
			copy_text(json_root(row), "cassette", NULL, cassette, sizeof(cassette));
			id_count = 0;
		}
		replay(json_root(row));
		json_document_free(row);
		end = end ? end + 1 : NULL;
	}
	print_message("%zu recorded requests compared\n", compared);
	assert_true(compared > 60);
	assert_int_equal(sandbox_stop(&sandbox), 0);
	buffer_done(&text);
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_requests_get_answers_of_the_recorded_shape),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
