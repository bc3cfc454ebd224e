/* SPDX-License-Identifier: MIT */
#include "pool/query/arguments.h"

#include "base/memory.h"

static bool arguments_make_room(struct query_arguments *arguments, size_t count)
{
	arguments->block = NULL;
	arguments->values = arguments->inline_values;
	arguments->lengths = arguments->inline_lengths;
	arguments->formats = arguments->inline_formats;
	arguments->types = arguments->inline_types;
	if (count <= ARGUMENTS_INLINE)
		return true;
	arguments->block = mem_alloc_array(count, sizeof(char *) + 2 * sizeof(int) + sizeof(Oid));
	if (!arguments->block)
		return false;
	arguments->values = arguments->block;
	arguments->lengths = (int *)(void *)(arguments->values + count);
	arguments->formats = arguments->lengths + count;
	arguments->types = (Oid *)(arguments->formats + count);
	return true;
}

bool arguments_init(struct query_arguments *arguments, const struct shipopt_query *query)
{
	if (!arguments_make_room(arguments, query->count))
		return false;
	for (size_t i = 0; i < query->count; i++) {
		const struct query_parameter *parameter = &query->parameters[i];
		arguments->values[i] = parameter->offset == SIZE_MAX ? NULL : query->bytes + parameter->offset;
		arguments->lengths[i] = (int)parameter->length;
		arguments->formats[i] = parameter->format;
		arguments->types[i] = parameter->type;
	}
	return true;
}

void arguments_done(struct query_arguments *arguments)
{
	mem_free(arguments->block);
}
