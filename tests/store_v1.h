/* SPDX-License-Identifier: MIT */
#ifndef TESTS_STORE_V1_H
#define TESTS_STORE_V1_H

#include <sqlite3.h>
#include <stdbool.h>

/*
 * The store of tests/fixtures/store_v1.sql, as a file, and questions to a file in SQL.
 *
 *   row  key        state                          row  key       state
 *    1   bought-1   bought                          6   2002 NBSP created (rated only)
 *    2   bought-2   bought                          7   same-1    bought, shipment of row 1
 *    3   1001       bought                          8   same-2    bought, shipment of row 1
 *    4   1001 NBSP  bought                          9   doubt-1   in doubt, shipment of row 1
 *    5   rated-1    created (rated only)           10   failed-1  failed, shipment of row 1
 */
#define STORE_V1_ROWS 10
#define NBSP "\u00a0"

/* Opens as another program would, waiting for whoever is closing the file. `vfs` NULL: the default. */
sqlite3 *store_v1_open(const char *path, const char *vfs);
/* Makes the file, then runs `more` (NULL: nothing) over it. */
void store_v1_make(const char *path, const char *vfs, const char *more);
/* A row like row 2 (bought, shipment "shp_" || key) with this key; `set` changes it further. The text of a statement
 * for `more`. */
#define STORE_V1_ROW(key, set)                                                                                                    \
	"INSERT INTO ledger SELECT (SELECT max(id) + 1 FROM ledger), tenant_id, provider, account, mode, 'new', piece, purpose, " \
	"generation, state, held_from, token, lease_until_ms, owner, fingerprint, request, 'shp_' || '" key                       \
	"', rate_id, carrier, "                                                                                                   \
	"service, currency, amount, ceiling, buying_at_ms, first_buying_at_ms, attempts, sent, budget, reserved, tracking_code, " \
	"label_url, paid, reason, created_at_ms, updated_at_ms, result FROM ledger WHERE id = 2;"                                 \
	"UPDATE ledger SET order_key = '" key "', " set " WHERE id = (SELECT max(id) FROM ledger);"

void store_v1_sql(const char *path, const char *text);
long long store_v1_number(const char *path, const char *text);
/* Whether the text that the statement gives has all of the words. Prints it if not. */
bool store_v1_says(const char *path, const char *text, const char *word, const char *other_word);

#endif
