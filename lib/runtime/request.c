/* SPDX-License-Identifier: MIT */
#include "runtime/request.h"

#include "base/error.h"
#include "base/memory.h"

struct shipopt_request {
	char *key;
	const struct shipopt_record *record;
	request_answer_fn answer;
	void *userdata;
};

int request_new(const char *key, const struct shipopt_record *record, request_answer_fn answer, void *userdata,
	shipopt_request **ret_request)
{
	shipopt_request *request = mem_alloc_zero(sizeof(*request));
	char *copy = mem_copy_text(key);
	if (!request || (key && !copy)) {
		mem_free(copy);
		mem_free(request);
		return SHIPOPT_ENOMEM;
	}
	*request = (shipopt_request){.key = copy, .record = record, .answer = answer, .userdata = userdata};
	*ret_request = request;
	return 0;
}

void request_free(shipopt_request *request)
{
	if (!request)
		return;
	mem_free(request->key);
	mem_free(request);
}

void *request_userdata(const shipopt_request *request, request_answer_fn answer)
{
	return request && request->answer == answer ? request->userdata : NULL;
}

static void request_answer(shipopt_request *request, int status, int64_t value, shipopt_error *error)
{
	request_answer_fn answer = request->answer;
	void *userdata = request->userdata;
	request_free(request);
	answer(userdata, status, value, error);
}

void shipopt_request_complete(shipopt_request *request, int64_t value)
{
	if (request)
		request_answer(request, 0, value, NULL);
}

void shipopt_request_fail(shipopt_request *request, int code, const char *message)
{
	if (!request)
		return;
	if (code >= 0)
		code = SHIPOPT_EINVAL;
	request_answer(request, code, 0, error_new(code, message ? message : shipopt_error_description(code)));
}

const struct shipopt_record *shipopt_request_record(const shipopt_request *request)
{
	return request ? request->record : NULL;
}

const char *shipopt_request_key(const shipopt_request *request)
{
	return request ? request->key : NULL;
}
