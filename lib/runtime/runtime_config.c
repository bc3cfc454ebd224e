/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "config/tables.h"
#include "runtime/runtime_private.h"

int shipopt_runtime_config_new(shipopt_runtime_config **ret_config)
{
	if (!ret_config)
		return SHIPOPT_EINVAL;
	shipopt_runtime_config *config = mem_alloc_zero(sizeof(*config));
	if (!config)
		return SHIPOPT_ENOMEM;
	int r = settings_init(&config->settings, &runtime_settings);
	if (r < 0) {
		mem_free(config);
		return r;
	}
	*ret_config = config;
	return 0;
}

void shipopt_runtime_config_free(shipopt_runtime_config *config)
{
	if (!config)
		return;
	settings_done(&config->settings);
	mem_free(config);
}

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

int shipopt_runtime_config_set_executor(
	shipopt_runtime_config *config, shipopt_executor_fn submit, void *userdata)
{
	if (!config)
		return SHIPOPT_EINVAL;
	config->executor = submit;
	config->executor_userdata = userdata;
	return 0;
}
