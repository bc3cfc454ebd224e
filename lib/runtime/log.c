/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "runtime/runtime_private.h"

#define LOG_LINE_SIZE 1024 /* longer lines are cut */

void runtime_log(const shipopt_runtime *runtime, int level, const char *format, ...)
{
	if (!runtime->log || level > runtime->log_level || !runtime_may_call_host(runtime))
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
	runtime->log(runtime->log_userdata, level, line);
	pthread_mutex_unlock(lock);
}
