/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include "orders/source_csv.h"

#include <string.h>

#include "base/memory.h"
#include "orders/source_config.h"

enum { CELL_START, CELL_PLAIN, CELL_QUOTED, CELL_QUOTE_SEEN };

int row_reader_open(struct row_reader *reader, const char *path, struct row_format format, size_t block_bytes,
	const shipopt_source_config *config, shipopt_error **ret_error)
{
	memset(reader, 0, sizeof(*reader));
	int r = source_config_check(config, ret_error);
	if (r < 0)
		return r;
	reader->format = format;
	reader->row_max = (size_t)source_config_number(config, SOURCE_LINE_MAX_BYTES);
	reader->cells_max = format.delimiter ? (size_t)source_config_number(config, SOURCE_COLUMNS_MAX) : 1;
	reader->line = 1;
	/* Each cell's NUL takes the place of its delimiter or line end. */
	buffer_init(&reader->text, reader->row_max + 1);
	r = file_reader_open(&reader->file, path, block_bytes, ret_error);
	if (r < 0)
		return r;
	reader->cells = mem_alloc_array(reader->cells_max, sizeof(*reader->cells));
	if (!reader->cells) {
		file_reader_close(&reader->file);
		return SHIPOPT_ENOMEM;
	}
	return 0;
}

void row_reader_close(struct row_reader *reader)
{
	file_reader_close(&reader->file);
	buffer_done(&reader->text);
	mem_free(TAKE(reader->cells));
}

static void source_csv_row_problem_set(struct row_reader *reader, enum row_problem problem)
{
	if (reader->problem)
		return;
	reader->problem = problem;
	reader->problem_cell = reader->cell_count - 1;
	reader->problem_offset = file_reader_position(&reader->file);
}

static struct row_cell *source_csv_current_cell(struct row_reader *reader)
{
	return reader->is_dropping ? NULL : &reader->cells[reader->cell_count - 1];
}

static void source_csv_cell_begin(struct row_reader *reader)
{
	reader->state = CELL_START;
	if (reader->cell_count == reader->cells_max) {
		source_csv_row_problem_set(reader, ROW_TOO_MANY_CELLS);
		reader->is_dropping = true;
	}
	reader->cell_count++;
	struct row_cell *cell = source_csv_current_cell(reader);
	if (cell)
		*cell = (struct row_cell){.begin = reader->text.length,
			.line = reader->line,
			.offset = file_reader_position(&reader->file)};
}

static void source_csv_row_append(struct row_reader *reader, const char *bytes, size_t length)
{
	if (reader->is_dropping || reader->status < 0)
		return;
	reader->status = buffer_append(&reader->text, bytes, length);
}

static void source_csv_cell_end(struct row_reader *reader)
{
	struct row_cell *cell = source_csv_current_cell(reader);
	if (!cell)
		return;
	cell->length = reader->text.length - cell->begin;
	source_csv_row_append(reader, "", 1);
	reader->cells_kept++;
}

static void source_csv_row_begin(struct row_reader *reader)
{
	buffer_clear(&reader->text);
	reader->problem = ROW_FINE;
	reader->is_dropping = false;
	reader->row_line = reader->line;
	reader->row_bytes = 0;
	reader->input_length = 0;
	reader->cell_count = reader->cells_kept = 0;
	source_csv_cell_begin(reader);
}

/* Counts bytes of the row and keeps its first ones. A row with too many is skipped. */
static void source_csv_row_count(struct row_reader *reader, const char *bytes, size_t length)
{
	size_t kept = MIN(length, sizeof(reader->input) - reader->input_length);
	memcpy(reader->input + reader->input_length, bytes, kept);
	reader->input_length += kept;
	reader->row_bytes += (int64_t)length;
	if (reader->row_bytes > (int64_t)reader->row_max && !reader->is_dropping) {
		source_csv_row_problem_set(reader, ROW_TOO_LONG);
		reader->is_dropping = true;
	}
}

static bool source_csv_is_special(const struct row_reader *reader, char c)
{
	if (reader->state == CELL_QUOTED)
		return c == '"' || c == '\n' || c == '\r' || c == '\0';
	return c == '\n' || c == '\r' || c == '\0' || c == reader->format.delimiter ||
		(c == '"' && reader->format.has_quotes);
}

/* Takes a sequence of ordinary bytes. */
static void source_csv_take_plain(struct row_reader *reader, const char *bytes, size_t length)
{
	if (reader->state == CELL_QUOTE_SEEN)
		source_csv_row_problem_set(reader, ROW_TEXT_AFTER_QUOTE);
	if (reader->state != CELL_QUOTED)
		reader->state = CELL_PLAIN;
	source_csv_row_count(reader, bytes, length);
	source_csv_row_append(reader, bytes, length);
	reader->file.at += length;
}

static void source_csv_take_quote(struct row_reader *reader)
{
	struct row_cell *cell = source_csv_current_cell(reader);
	source_csv_row_count(reader, "\"", 1);
	switch (reader->state) {
	case CELL_START:
		reader->state = CELL_QUOTED;
		if (cell)
			cell->is_quoted = true;
		reader->quote_line = reader->line;
		break;
	case CELL_QUOTED: reader->state = CELL_QUOTE_SEEN; break;
	case CELL_QUOTE_SEEN:
		reader->state = CELL_QUOTED;
		source_csv_row_append(reader, "\"", 1);
		break;
	default: source_csv_row_append(reader, "\"", 1);
	}
	reader->file.at++;
}

/* True at the end of the row. */
static bool source_csv_take_special(struct row_reader *reader, char c, bool was_cr)
{
	bool is_line_end = c == '\r' || c == '\n';
	if (c == '"') {
		source_csv_take_quote(reader);
	} else if (c == '\0') {
		source_csv_row_problem_set(reader, ROW_NUL);
		source_csv_take_plain(reader, &c, 1);
	} else if (reader->state == CELL_QUOTED) {
		source_csv_take_plain(reader, &c, 1);
	} else if (is_line_end) {
		source_csv_cell_end(reader);
		reader->file.at++;
	} else {
		source_csv_row_count(reader, &c, 1);
		source_csv_cell_end(reader);
		reader->file.at++;
		source_csv_cell_begin(reader);
		return false;
	}
	if (is_line_end && !(c == '\n' && was_cr))
		reader->line++;
	reader->after_cr = c == '\r';
	return is_line_end && reader->state != CELL_QUOTED;
}

/* Takes one sequence of ordinary bytes, or one special byte, of the block. True at the end of the row. */
static bool source_csv_row_step(struct row_reader *reader)
{
	struct file_reader *file = &reader->file;
	const char *begin = file->block + file->at, *end = file->block + file->length, *p = begin;
	bool was_cr = reader->after_cr;
	reader->after_cr = false;
	if (was_cr && *begin == '\n' && reader->row_bytes == 0) { /* the rest of the line end before */
		file->at++;
		source_csv_row_begin(reader);
		return false;
	}
	while (p < end && !source_csv_is_special(reader, *p))
		p++;
	if (p == begin)
		return source_csv_take_special(reader, *begin, was_cr);
	source_csv_take_plain(reader, begin, (size_t)(p - begin));
	return false;
}

/* The last row may lack its line end. */
static bool source_csv_row_end_of_file(struct row_reader *reader)
{
	if (reader->row_bytes == 0)
		return false;
	if (reader->state == CELL_QUOTED)
		source_csv_row_problem_set(reader, ROW_QUOTE_OPEN);
	source_csv_cell_end(reader);
	return true;
}

static bool source_csv_row_is_blank(const struct row_reader *reader)
{
	if (reader->cell_count > 1 || reader->problem || reader->cells[0].is_quoted)
		return false;
	for (size_t i = 0; i < reader->cells[0].length; i++)
		if (reader->text.data[i] != ' ')
			return false;
	return true;
}

int row_reader_next(struct row_reader *reader, shipopt_error **ret_error)
{
	source_csv_row_begin(reader);
	for (bool is_complete = false;;) {
		if (reader->file.at == reader->file.length) {
			int r = file_reader_fill(&reader->file, ret_error);
			if (r < 0)
				return r;
			if (r == 0 && !source_csv_row_end_of_file(reader))
				return 0;
			if (r > 0 && reader->row_bytes == 0)
				source_csv_row_begin(reader); /* the row begins after the byte order mark */
			is_complete = r == 0;
		}
		if (!is_complete)
			is_complete = source_csv_row_step(reader);
		if (reader->status < 0)
			return reader->status;
		if (!is_complete)
			continue;
		if (!source_csv_row_is_blank(reader))
			return 1;
		source_csv_row_begin(reader);
		is_complete = false;
	}
}
