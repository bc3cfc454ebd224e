/* SPDX-License-Identifier: MIT */
#ifndef POOL_QUERY_ARGUMENTS_H
#define POOL_QUERY_ARGUMENTS_H

#include "pool/query/query.h"

/*
 * The values of a query in the four arrays that libpq takes. Up to ARGUMENTS_INLINE values need no allocation. The
 * arrays borrow the bytes of the query.
 */
#define ARGUMENTS_INLINE 32

struct query_arguments {
	const char *inline_values[ARGUMENTS_INLINE];
	int inline_lengths[ARGUMENTS_INLINE], inline_formats[ARGUMENTS_INLINE];
	Oid inline_types[ARGUMENTS_INLINE];
	const char **values;
	int *lengths, *formats;
	Oid *types;
	void *block;
};

/* False when out of memory; then there is nothing to free. */
bool arguments_init(struct query_arguments *arguments, const struct shipopt_query *query);
void arguments_done(struct query_arguments *arguments);

#endif
