/* SPDX-License-Identifier: MIT */
#ifndef ORDERS_SOURCE_CONFIG_H
#define ORDERS_SOURCE_CONFIG_H

#include <shipopt/source.h>

#include "config/tables.h"

/* The settings of a source. They are read when the source is made; nothing keeps the object. */
struct shipopt_source_config {
	struct settings settings;
};

/* Returns the first error of a configuration; 0 if `config` is NULL. */
int source_config_check(const shipopt_source_config *config, shipopt_error **ret_error);
/* Returns a setting, or its default if `config` is NULL. */
int64_t source_config_number(const shipopt_source_config *config, enum source_setting index);

#endif
