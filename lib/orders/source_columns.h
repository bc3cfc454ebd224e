/* SPDX-License-Identifier: MIT */
#ifndef ORDERS_SOURCE_COLUMNS_H
#define ORDERS_SOURCE_COLUMNS_H

#include "orders/order.h"
#include "orders/source_csv.h"

/*
 * The names that order files use, and what each sets: the order's own (order_key, service, …) and those of a shipment,
 * which lib/record knows. CSV and TSV files have them as columns, JSON lines as members. The case of letters and white
 * space around a name do not matter.
 *
 * Messages start with `column "<name>"`. The place in the file is added by row_error().
 */
enum column_kind {
	COLUMN_ORDER_KEY,
	COLUMN_SERVICE,
	COLUMN_CARRIER,
	COLUMN_MAX_RATE,
	COLUMN_TRACKING_CODE,
	COLUMN_PIECE,
	COLUMN_GENERATION,
	COLUMN_SHIPMENT
};

/* Bytes of a name, with its NUL. A longer name is refused. */
#define COLUMN_NAME_SIZE 64

/* Lowers the letters of `name` in place and finds what it sets. SHIPOPT_EPARSE: the message has the nearest known
 * name. */
int order_column_find(char *name, enum column_kind *ret_kind, shipopt_error **ret_error);
/* Sets what a column stands for. Empty text sets nothing. SHIPOPT_EPARSE, SHIPOPT_ETOOLARGE, SHIPOPT_EENCODING. */
int order_column_set(shipopt_order *order, enum column_kind kind, const char *name, const char *text,
	shipopt_error **ret_error);
/* Finds the known name with the smallest edit distance. False if none is close enough. */
bool order_column_suggest(const char *name, char ret_name[COLUMN_NAME_SIZE]);

/* The header line of a file. */
struct columns {
	char **names;
	enum column_kind *kinds;
	size_t count, key;
};

/* Reads the header from the reader's row. SHIPOPT_EPARSE: a name is unknown, empty or repeated, or order_key is
 * missing. */
int columns_parse(struct columns *columns, struct row_reader *reader, shipopt_error **ret_error);
void columns_done(struct columns *columns);
/* Fills an empty order from the reader's row. On failure the order has the key, if it could be read. */
int columns_fill(const struct columns *columns, struct row_reader *reader, shipopt_order *order,
	shipopt_error **ret_error);

#endif
