/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "config/tables.h"
#include "runtime/runtime_private.h"

SETTINGS_PUBLIC_NEW(runtime)
SETTINGS_PUBLIC_FREE(runtime)
SETTINGS_PUBLIC(runtime)
SETTING_PUBLIC_NUMBER(runtime, workers, RUNTIME_WORKERS)
SETTING_PUBLIC_NUMBER(runtime, side_threads, RUNTIME_SIDE_THREADS)
SETTING_PUBLIC_NUMBER(runtime, reactors, RUNTIME_REACTORS)
SETTING_PUBLIC_NUMBER(runtime, log_level, RUNTIME_LOG_LEVEL)

int shipopt_runtime_config_set_log(shipopt_runtime_config *config, shipopt_log_fn log, void *userdata)
{
	if (!config)
		return SHIPOPT_EINVAL;
	config->log = log;
	config->log_userdata = userdata;
	return 0;
}

int shipopt_runtime_config_set_executor(shipopt_runtime_config *config, shipopt_executor_fn submit, void *userdata)
{
	if (!config)
		return SHIPOPT_EINVAL;
	config->executor = submit;
	config->executor_userdata = userdata;
	return 0;
}
