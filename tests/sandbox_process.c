/* SPDX-License-Identifier: MIT */
#include "sandbox_process.h"

#include <ctype.h>
#include <shipopt/error.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "json/json.h"

#define OPTIONS_MAX 62
#define ANSWER_MAX ((size_t)256 << 20)

static _Noreturn void run_child(int output, pid_t parent, const char *program, const char *const *options)
{
	char *arguments[OPTIONS_MAX + 2] = {(char *)(uintptr_t)program};
	for (size_t i = 0; options && options[i] && i < OPTIONS_MAX; i++)
		arguments[i + 1] = (char *)(uintptr_t)options[i];
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || dup2(output, STDOUT_FILENO) < 0)
		_exit(126);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(program, arguments);
	_exit(127);
}

/* The line "listening on URL"; false at the end of the output. */
static bool read_url(struct sandbox *sandbox)
{
	char line[128];
	size_t length = 0;
	while (length + 1 < sizeof(line)) {
		ssize_t n = read(sandbox->output, line + length, 1);
		if (n <= 0)
			return false;
		if (line[length++] == '\n')
			break;
	}
	line[length] = '\0';
	return sscanf(line, "listening on %95s", sandbox->url) == 1;
}

int sandbox_start(struct sandbox *sandbox, const char *const *options)
{
	const char *program = getenv("SHIPOPT_SANDBOX");
	int ends[2];
	if (!program)
		return SHIPOPT_ENOTFOUND;
	*sandbox = (struct sandbox){.output = -1, .authorization = "Bearer EZTKsandbox"};
	buffer_init(&sandbox->headers, 65536);
	if (pipe(ends) != 0)
		return SHIPOPT_EIO;
	pid_t parent = getpid();
	sandbox->pid = fork();
	if (sandbox->pid == 0)
		run_child(ends[1], parent, program, options);
	close(ends[1]);
	sandbox->output = ends[0];
	sandbox->curl = curl_easy_init();
	if (sandbox->pid > 0 && sandbox->curl && read_url(sandbox))
		return 0;
	sandbox_stop(sandbox);
	return SHIPOPT_EIO;
}

int sandbox_stop(struct sandbox *sandbox)
{
	int status = -1;
	if (sandbox->curl)
		curl_easy_cleanup(sandbox->curl);
	if (sandbox->pid > 0) {
		kill(sandbox->pid, SIGTERM);
		if (waitpid(sandbox->pid, &status, 0) != sandbox->pid)
			status = -1;
	}
	if (sandbox->output >= 0)
		close(sandbox->output);
	buffer_done(&sandbox->headers);
	*sandbox = (struct sandbox){.output = -1};
	return status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *userdata)
{
	return userdata && buffer_append(userdata, bytes, size * count) < 0 ? 0 : size * count;
}

static size_t take_header(char *bytes, size_t size, size_t count, void *userdata)
{
	struct buffer *headers = userdata;
	size_t length = size * count, name = 0;
	for (; name < length && bytes[name] != ':'; name++)
		bytes[name] = (char)tolower((unsigned char)bytes[name]);
	return buffer_append(headers, bytes, length) < 0 ? 0 : length;
}

static struct curl_slist *make_headers(const struct sandbox *sandbox, bool has_body)
{
	char text[256];
	struct curl_slist *headers = NULL;
	if (sandbox->authorization) {
		snprintf(text, sizeof(text), "Authorization: %s", sandbox->authorization);
		headers = curl_slist_append(headers, text);
	}
	headers = curl_slist_append(headers, "Expect:");
	return has_body ? curl_slist_append(headers, "Content-Type: application/json") : headers;
}

static int request(struct sandbox *sandbox, const char *path, const char *json, struct buffer *body)
{
	char url[2048];
	CURL *curl = sandbox->curl;
	struct curl_slist *headers = make_headers(sandbox, json != NULL);
	long status = 0;
	snprintf(url, sizeof(url), "%s%s", sandbox->url, path);
	if (body)
		buffer_clear(body);
	buffer_clear(&sandbox->headers);
	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 60000L);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, sandbox->is_fresh ? 1L : 0L);
	curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, sandbox->is_fresh ? 1L : 0L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, &sandbox->headers);
	if (sandbox->ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, sandbox->ca_file);
	if (json)
		curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, json);
	CURLcode code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	return code == CURLE_OK ? (int)status : -(int)code;
}

int sandbox_get(struct sandbox *sandbox, const char *path, struct buffer *body)
{
	return request(sandbox, path, NULL, body);
}

int sandbox_post(struct sandbox *sandbox, const char *path, const char *json, struct buffer *body)
{
	return request(sandbox, path, json, body);
}

bool sandbox_header(const struct sandbox *sandbox, const char *name, char *ret_value, size_t size)
{
	size_t length = strlen(name);
	for (const char *line = buffer_text(&sandbox->headers); line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) != 0 || line[length] != ':')
			continue;
		const char *value = line + length + 1 + strspn(line + length + 1, " ");
		snprintf(ret_value, size, "%.*s", (int)strcspn(value, "\r\n"), value);
		return true;
	}
	return false;
}

int sandbox_set_faults(struct sandbox *sandbox, const char *json)
{
	return sandbox_post(sandbox, "/sandbox/faults", json, NULL) == 200 ? 0 : -1;
}

int sandbox_reset(struct sandbox *sandbox)
{
	return sandbox_post(sandbox, "/sandbox/reset", "{}", NULL) == 200 ? 0 : -1;
}

/* A number or the count of a list in the answer of /sandbox/counts, `absent` if it is not there. */
static int64_t read_count(struct sandbox *sandbox, const char *path, const char *key, const char *key2, int64_t absent)
{
	struct buffer body;
	json_document *document = NULL;
	struct json_value value;
	int64_t number = -1;
	buffer_init(&body, ANSWER_MAX);
	if (sandbox_get(sandbox, path, &body) == 200 &&
		json_document_parse(body.data, body.length, &document, NULL) == 0) {
		bool is_there = json_get(json_root(document), key, &value) && (!key2 || json_get(value, key2, &value));
		if (!is_there)
			number = absent;
		else if (!json_i64(value, &number))
			number = (int64_t)json_count(value);
	}
	json_document_free(document);
	buffer_done(&body);
	return number;
}

int64_t sandbox_count(struct sandbox *sandbox, const char *name)
{
	return read_count(sandbox, "/sandbox/counts?brief=1", name, NULL, -1);
}

int64_t sandbox_requests(struct sandbox *sandbox, const char *class_name)
{
	return read_count(sandbox, "/sandbox/counts?brief=1", "requests", class_name, 0);
}

int64_t sandbox_labels_of(struct sandbox *sandbox, const char *reference)
{
	return read_count(sandbox, "/sandbox/counts", "labels_by_reference", reference, 0);
}

int64_t sandbox_duplicates(struct sandbox *sandbox)
{
	return read_count(sandbox, "/sandbox/counts?brief=1", "duplicates", NULL, -1);
}
