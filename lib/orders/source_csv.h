/* SPDX-License-Identifier: MIT */
#ifndef ORDERS_SOURCE_CSV_H
#define ORDERS_SOURCE_CSV_H

#include <shipopt/source.h>

#include "base/buffer.h"
#include "orders/order.h"
#include "orders/source_file.h"

/*
 * Rows of a text file, cut into cells: CSV as in RFC 4180 (quoted cells, doubled quotes, line ends inside quotes), TSV
 * (tabs, no quoting), or whole lines (no delimiter).
 *
 * A state machine reads the file block by block. No result depends on where a block ends. A row ends at CR LF, LF or
 * CR; the last row also at the end of the file. A row of spaces only is skipped. Two things are more lenient than the
 * RFC: a quote inside an unquoted cell is an ordinary character (12" pipe), and rows may have any number of cells.
 *
 * What is wrong with a row is its `problem`. The row is still read to its end, which for a quoted cell is after its
 * closing quote. So the inside of an overlong cell never becomes a row. The price: a quote that is never closed
 * swallows the rest of the file. The message names the line where that quote was opened.
 *
 * Memory: one block, one row of at most `row_max` bytes, `cells_max` cells. A longer row is skipped without being
 * stored. The first bytes of each row are kept unchanged, for its item. One thread at a time uses a reader.
 */
enum row_problem { ROW_FINE, ROW_TOO_LONG, ROW_TOO_MANY_CELLS, ROW_NUL, ROW_TEXT_AFTER_QUOTE, ROW_QUOTE_OPEN };

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
	int status;    /* SHIPOPT_ENOMEM in the middle of a row */

	/* The row. */
	struct buffer text;
	struct row_cell *cells;
	size_t cell_count, cells_kept; /* all cells; those that are complete and stored */
	int state;
	int64_t row_line, row_bytes;
	enum row_problem problem;
	int64_t problem_offset, quote_line; /* where it is; where the last quote was opened */
	size_t problem_cell;
	bool is_dropping; /* over a bound: nothing more is stored */
	char input[ORDER_INPUT_BYTES_MAX];
	size_t input_length;
};

int row_reader_open(struct row_reader *reader, const char *path, struct row_format format, size_t block_bytes,
	const shipopt_source_config *config, shipopt_error **ret_error);
void row_reader_close(struct row_reader *reader);
/* Reads the next row: 1, and the row may have a problem; 0 at the end, and on every later call; SHIPOPT_EIO,
 * SHIPOPT_EENCODING, SHIPOPT_ENOMEM. */
int row_reader_next(struct row_reader *reader, shipopt_error **ret_error);
/* Returns 0, or the error of the row's problem or of a cell that is not UTF-8. `names` (may be NULL) are the columns'
 * names. The message has no place: row_error() adds it. */
int row_check(const struct row_reader *reader, char *const *names, size_t name_count, shipopt_error **ret_error);
/* Puts "orders.csv line 17" before the message. Takes over `error`. Returns `status`. */
int row_error(const struct row_reader *reader, int status, shipopt_error *error, shipopt_error **ret_error);
/* Returns the text of a stored cell without white space at its ends, NUL-terminated. Valid until the next row. */
char *row_cell_trimmed(struct row_reader *reader, size_t index);
/* Makes an empty order with the row's line. */
int row_order_begin(const struct row_reader *reader, shipopt_order **ret_order);
/* Gives the row's order out. `status` is what filling it gave: a failure makes it an order with that failure and the
 * place, unless memory is out. Takes over `error` and `order`. SOURCE_ORDER or SHIPOPT_ENOMEM. */
int row_order_end(const struct row_reader *reader, int status, shipopt_error *error, shipopt_order *order,
	shipopt_order **ret_order);
/* Estimates the number of all rows from those read so far, not counting the first `skip_bytes` of the file; -1: not
 * known. */
int64_t row_reader_expected(const struct row_reader *reader, int64_t rows, int64_t skip_bytes, bool is_ended);

#endif
