/* SPDX-License-Identifier: MIT */
#ifndef ORDERS_SOURCE_CONFIG_H
#define ORDERS_SOURCE_CONFIG_H

#include <shipopt/source.h>

#include "config/tables.h"

/* The settings of a source, read once when it is made; nothing keeps a reference to the object. */
struct shipopt_source_config {
	struct settings settings;
};

/* The first error of a configuration; success without an object. */
int source_config_check(const shipopt_source_config *config, shipopt_error **ret_error);
/* The setting's value, or its default without an object. */
int64_t source_config_number(const shipopt_source_config *config, enum source_setting index);

#endif
