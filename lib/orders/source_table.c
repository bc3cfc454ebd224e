/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include "orders/source_table.h"

#include "base/memory.h"
#include "orders/source.h"
#include "orders/source_columns.h"

struct table_source {
	shipopt_source source;
	struct row_reader rows;
	struct columns columns;
	int64_t count, header_bytes;
};

static struct table_source *table_of(shipopt_source *source)
{
	return CONTAINER_OF(source, struct table_source, source);
}

static int table_next(shipopt_source *source, shipopt_order **ret_order, shipopt_error **ret_error)
{
	struct table_source *table = table_of(source);
	struct row_reader *rows = &table->rows;
	int r = row_reader_next(rows, ret_error);
	table->count += r > 0;
	atomic_store(&source->expected, row_reader_expected(rows, table->count, table->header_bytes, r == 0));
	if (r <= 0)
		return r;
	shipopt_order *order = NULL;
	shipopt_error *error = NULL;
	r = row_order_begin(rows, &order);
	r = r < 0 ? r : columns_fill(&table->columns, rows, order, &error);
	return row_order_end(rows, r, error, order, ret_order);
}

static void table_destroy(shipopt_source *source)
{
	struct table_source *table = table_of(source);
	columns_done(&table->columns);
	row_reader_close(&table->rows);
}

static const struct source_class table_class = {.next = table_next, .destroy = table_destroy};

static int table_open_header(struct table_source *table, shipopt_error **ret_error)
{
	int r = row_reader_next(&table->rows, ret_error);
	if (r < 0)
		return r;
	if (r == 0)
		return error_set(ret_error, SHIPOPT_EPARSE,
			"%s is empty: its first line must be a header that names the columns", table->rows.file.name);
	r = columns_parse(&table->columns, &table->rows, ret_error);
	table->header_bytes = file_reader_position(&table->rows.file);
	return r;
}

int table_source_open(const char *path, struct row_format format, size_t block_bytes,
	const shipopt_source_config *config, shipopt_source **ret_source, shipopt_error **ret_error)
{
	if (!path || !ret_source)
		return error_set(ret_error, SHIPOPT_EINVAL, "source: path and ret_source must not be NULL");
	shipopt_source *source = NULL;
	int r = source_new(&table_class, sizeof(struct table_source), &source);
	if (r < 0)
		return r;
	struct table_source *table = table_of(source);
	r = row_reader_open(&table->rows, path, format, block_bytes, config, ret_error);
	if (r < 0) {
		mem_free(source);
		return r;
	}
	r = table_open_header(table, ret_error);
	if (r < 0) {
		source_unref(source);
		return r;
	}
	*ret_source = source;
	return 0;
}

int shipopt_source_open_csv(const char *path, const shipopt_source_config *config, shipopt_source **ret_source,
	shipopt_error **ret_error)
{
	return table_source_open(path, FORMAT_CSV, FILE_BLOCK_BYTES, config, ret_source, ret_error);
}

int shipopt_source_open_tsv(const char *path, const shipopt_source_config *config, shipopt_source **ret_source,
	shipopt_error **ret_error)
{
	return table_source_open(path, FORMAT_TSV, FILE_BLOCK_BYTES, config, ret_source, ret_error);
}
