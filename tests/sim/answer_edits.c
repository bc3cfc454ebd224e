/* SPDX-License-Identifier: MIT */
#include "answer_edits.h"

#include "cmocka_test.h"

#include <string.h>

static struct answer_edit edits[EDITS_MAX];
static size_t edit_count;
static int calls[WORLD_CALL_COUNT];

static void replace_all(struct buffer *response, const char *from, const char *to)
{
	struct buffer edited;
	buffer_init(&edited, SIZE_MAX);
	const char *rest = buffer_text(response), *found;
	for (; (found = strstr(rest, from)); rest = found + strlen(from)) {
		assert_int_equal(buffer_append(&edited, rest, (size_t)(found - rest)), 0);
		assert_int_equal(buffer_append_text(&edited, to), 0);
	}
	assert_int_equal(buffer_append_text(&edited, rest), 0);
	buffer_clear(response);
	assert_int_equal(buffer_append(response, buffer_text(&edited), edited.length), 0);
	buffer_done(&edited);
}

static void edit_answer(const struct world_visit *visit, struct http_request *request)
{
	int occurrence = ++calls[visit->call];
	for (size_t i = 0; i < edit_count; i++) {
		const struct answer_edit *edit = &edits[i];
		if (edit->call != visit->call || (edit->occurrence && edit->occurrence != occurrence))
			continue;
		if (edit->http_status)
			request->http_status = edit->http_status;
		if (edit->body) {
			buffer_clear(&request->response);
			assert_int_equal(buffer_append_text(&request->response, edit->body), 0);
		}
		if (edit->from)
			replace_all(&request->response, edit->from, edit->to);
	}
}

void edits_clear(void)
{
	edit_count = 0;
	memset(calls, 0, sizeof(calls));
	fake_http_edit = NULL;
}

void edits_add(const struct answer_edit *edit)
{
	if (fake_http_edit != edit_answer)
		edits_clear();
	assert_true(edit_count < EDITS_MAX);
	edits[edit_count++] = *edit;
	fake_http_edit = edit_answer;
}

void edits_hide_labels(enum world_call call)
{
	EDIT(call, "\"tracking_code\":", "\"no_code\":");
	EDIT(call, "\"postage_label\":", "\"no_label\":");
}
