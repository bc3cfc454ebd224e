/* SPDX-License-Identifier: MIT */
#ifndef ORDERS_SOURCE_CSV_H
#define ORDERS_SOURCE_CSV_H

#include <shipopt/source.h>

#include "base/buffer.h"
#include "orders/order.h"
#include "orders/source_file.h"

/*
 * Rows of a text file, cut into cells: CSV as in RFC 4180 (quoted cells, doubled quotes, line ends inside quotes), TSV (tabs,
 * no quoting), or whole lines (no delimiter).
 *
 * A state machine eats the file block by block, so no result depends on where a block ends. A row ends at CR LF, LF or CR, the
 * last one also at the end of the file; a row of spaces only is skipped. Kinder than the RFC: a quote inside an unquoted cell
 * stands for itself (12" pipe), and any delimiter is taken as it comes.
 *
 * What a row gets wrong is its `problem`: the row is still read to its end, which for a quoted cell is behind its closing quote.
 * So nothing inside an overlong cell is ever taken for a row of its own; the price is that a quote nobody closes takes the rest
 * of the file with it, and the message names the line where it was opened.
 *
 * Memory: one block, one row of at most `row_max` bytes, `cells_max` cells. A longer row is passed over without being held.
 * The first bytes of each row are kept as they stood, for the failed item. Used by one thread at a time.
 */
enum row_problem { ROW_FINE, ROW_TOO_LONG, ROW_TOO_MANY_CELLS, ROW_NUL, ROW_TEXT_BEHIND_QUOTE, ROW_QUOTE_OPEN };

struct row_cell {
	size_t begin, length; /* in `text`; a NUL follows */
	int64_t line, offset; /* where it begins, with its quote */
	bool is_quoted;
};

struct row_format {
	char delimiter; /* 0: none */
	bool has_quotes;
};

struct row_reader {
	struct file_reader file;
	struct row_format format;
	size_t row_max, cells_max;
	int64_t line;  /* of the next byte */
	bool after_cr; /* the byte before was CR */
	int status;    /* out of memory in the middle of a row */

	/* The row. */
	struct buffer text;
	struct row_cell *cells;
	size_t cell_count, cells_kept; /* all of them; those that are complete and held */
	int state;
	int64_t row_line, row_bytes;
	enum row_problem problem;
	int64_t problem_offset, quote_line; /* where it is; where the last quote was opened */
	size_t problem_cell;
	bool is_dropping; /* over a bound: nothing more is kept */
	char input[ORDER_INPUT_BYTES_MAX];
	size_t input_length;
};

int row_reader_open(struct row_reader *reader, const char *path, struct row_format format, size_t block_bytes,
	const shipopt_source_config *config, shipopt_error **ret_error);
void row_reader_close(struct row_reader *reader);
/* 1 and a row, perhaps with a problem; 0 at the end, again and again; SHIPOPT_EIO, SHIPOPT_EENCODING, SHIPOPT_ENOMEM. */
int row_reader_next(struct row_reader *reader, shipopt_error **ret_error);
/* 0, or the error of the row's problem or of a cell that is not UTF-8. `names` (may be NULL) are the columns'. The message
 * lacks the place: row_error() adds it. */
int row_check(const struct row_reader *reader, char *const *names, size_t name_count, shipopt_error **ret_error);
/* Puts "orders.csv line 17" in front of the message; consumes `error`. Returns `status`. */
int row_error(const struct row_reader *reader, int status, shipopt_error *error, shipopt_error **ret_error);
/* The text of a kept cell without white space at its ends, NUL-terminated, until the next row. */
char *row_cell_trimmed(struct row_reader *reader, size_t index);
/* An empty order with the row's line. */
int row_order_begin(const struct row_reader *reader, shipopt_order **ret_order);
/* Hands out the row's order, whose filling gave `status`: a failure becomes a failed order with place and input, but for want
 * of memory. Consumes `error` and `order`. SOURCE_ORDER or SHIPOPT_ENOMEM. */
int row_order_end(const struct row_reader *reader, int status, shipopt_error *error, shipopt_order *order,
	shipopt_order **ret_order);
/* An estimate of all rows from those read so far, without the first `skip_bytes`; -1: not known. */
int64_t row_reader_expected(const struct row_reader *reader, int64_t rows, int64_t skip_bytes, bool is_ended);

#endif
