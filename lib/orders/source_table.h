/* SPDX-License-Identifier: MIT */
#ifndef ORDERS_SOURCE_TABLE_H
#define ORDERS_SOURCE_TABLE_H

#include "orders/source_csv.h"

/* Sources over the rows of a file. The public functions open them with blocks of FILE_BLOCK_BYTES, tests with smaller
 * ones. */
#define FORMAT_CSV ((struct row_format){.delimiter = ',', .has_quotes = true})
#define FORMAT_TSV ((struct row_format){.delimiter = '\t'})
#define FORMAT_LINES ((struct row_format){.delimiter = '\0'})

int table_source_open(const char *path, struct row_format format, size_t block_bytes,
	const shipopt_source_config *config, shipopt_source **ret_source, shipopt_error **ret_error);
int json_lines_source_open(const char *path, size_t block_bytes, const shipopt_source_config *config,
	shipopt_source **ret_source, shipopt_error **ret_error);

#endif
