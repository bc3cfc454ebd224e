/* SPDX-License-Identifier: MIT */
#ifndef TESTS_PROGRAM_H
#define TESTS_PROGRAM_H

#include <stdint.h>

/*
 * The program buy_labels as a user runs it, in a folder of the test's own, with what it printed. The environment
 * variable SHIPOPT_BUY_LABELS names it. Every step asserts.
 */
#define PROGRAM_OUTPUT_MAX 65536

struct program {
	char folder[128];
	char output[PROGRAM_OUTPUT_MAX]; /* of the last command, both streams */
};

#define PROGRAM_HEADER                                                                                      \
	"order_key,to_name,to_street1,to_city,to_state,to_zip,to_country,from_name,from_street1,from_city," \
	"from_state,from_zip,from_country,weight_oz\n"
#define PROGRAM_ROW(key, country, weight)                                \
	key ",Museum of Science,1 Science Park,Boston,MA,02114," country \
	    ",New York Public Library,476 5th Ave,New York,NY,10018,US," weight "\n"

void program_init(struct program *program);
void program_done(struct program *program);
/* Runs a shell command and keeps what it printed; its exit status, -1 if a signal ended it. */
int program_shell(struct program *program, const char *command);
/* buy_labels over `orders` (a file of the folder, or a path), ship.db and labels.csv of the folder, with more
 * arguments. */
int program_buy(struct program *program, const char *orders, const char *arguments);
void program_write(const struct program *program, const char *name, const char *content);
void program_assert_says(const struct program *program, const char *text);
/* Lines of a file of the folder that have `part` in them. */
int64_t program_count_lines(const struct program *program, const char *name, const char *part);

#endif
