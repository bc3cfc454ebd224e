/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "config/tables.h"
#include "runtime/runtime_private.h"

SETTINGS_PUBLIC_NEW(runtime)
SETTINGS_PUBLIC_FREE(runtime)
SETTINGS_PUBLIC(runtime)

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
