/* SPDX-License-Identifier: MIT */
#ifndef ORDERS_SOURCE_COLUMNS_H
#define ORDERS_SOURCE_COLUMNS_H

#include "orders/order.h"
#include "orders/source_csv.h"

/*
 * The names that order files use, and what each sets: the order's own (order_key, service, …) and those of a shipment, which
 * lib/record knows. The same names are the columns of CSV and TSV files and the members of JSON lines. White space around a
 * name and the case of its letters do not matter.
 *
 * Messages start with `column "<name>"` and lack the place in the file, which row_error() adds.
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

/* Room for a name; a longer one is refused. */
#define COLUMN_NAME_SIZE 64

/* Lowers the letters of `name` in place and tells what it sets. SHIPOPT_EPARSE names it and the nearest known name. */
int order_column_find(char *name, enum column_kind *ret_kind, shipopt_error **ret_error);
/* Sets what a column stands for. Empty text sets nothing. SHIPOPT_EPARSE, SHIPOPT_ETOOLARGE, SHIPOPT_EENCODING. */
int order_column_set(shipopt_order *order, enum column_kind kind, const char *name, const char *text,
	shipopt_error **ret_error);
/* The known name with the smallest edit distance, if it is near enough to be meant. */
bool order_column_suggest(const char *name, char ret_name[COLUMN_NAME_SIZE]);

/* A file's header. */
struct columns {
	char **names;
	enum column_kind *kinds;
	size_t count, key;
};

/* From the row that the reader holds. SHIPOPT_EPARSE for an unknown, empty or repeated name, or without order_key. */
int columns_parse(struct columns *columns, struct row_reader *reader, shipopt_error **ret_error);
void columns_done(struct columns *columns);
/* Fills an empty order from the row that the reader holds. On failure the order has the key, if that could be told. */
int columns_fill(const struct columns *columns, struct row_reader *reader, shipopt_order *order,
	shipopt_error **ret_error);

#endif
