/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "runtime/notice.h"
#include "runtime/runtime_private.h"

#define LOG_LINE_SIZE 1024 /* longer lines are cut */

void runtime_log(const shipopt_runtime *runtime, int level, const char *format, ...)
{
	if (level > runtime->log_level || (!runtime->log && !atomic_load(&runtime->has_log_queue)) ||
		!runtime_may_call_host(runtime))
		return;
	char line[LOG_LINE_SIZE];
	va_list list;
	va_start(list, format);
	vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	text_make_utf8(line, strlen(line));
	for (char *c = line; *c; c++)
		if (*c == '\n' || *c == '\r')
			*c = ' '; /* one line each: a name from outside cannot forge another */
	pthread_mutex_t *lock = (pthread_mutex_t *)&runtime->log_lock;
	pthread_mutex_lock(lock);
	if (runtime->log)
		runtime->log(runtime->log_userdata, level, line);
	if (runtime->log_queue)
		notice_push_log(runtime->log_queue, level, line);
	pthread_mutex_unlock(lock);
}

void runtime_set_log(shipopt_runtime *runtime, int level, shipopt_log_fn log, void *userdata)
{
	runtime->log_level = level;
	runtime->log = log;
	runtime->log_userdata = userdata;
}

int runtime_log_to(shipopt_runtime *runtime, const shipopt_queue *from, shipopt_queue *to)
{
	pthread_mutex_lock(&runtime->log_lock);
	bool is_free = runtime->log_queue == from || runtime->log_queue == to;
	if (is_free) {
		runtime->log_queue = to;
		atomic_store(&runtime->has_log_queue, to != NULL);
	}
	pthread_mutex_unlock(&runtime->log_lock);
	return is_free ? 0 : SHIPOPT_EBUSY;
}
