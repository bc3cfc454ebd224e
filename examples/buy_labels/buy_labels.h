/* SPDX-License-Identifier: MIT */
#ifndef BUY_LABELS_H
#define BUY_LABELS_H

#include <shipopt/shipopt.h>
#include <signal.h>
#include <stdatomic.h>

/*
 * The parts of the program: options.c reads the command line, job.c opens everything and starts the run, watch.c waits
 * for it and shows progress, verdict.c says what came of it.
 *
 * Threads: the library works on its own threads. The item callbacks of one run never overlap, so what they collect in
 * struct verdict needs no lock. The main thread reads it after the run is done, and only `must_stop` before.
 */
#define TICK_MS 100
#define REASONS_MAX 20 /* failed orders that the summary names; the out file has all */
#define STRANDED_MAX 5 /* so many failures in a row that are not the orders' own end the run */

struct options {
	const char *orders, *store, *out, *carrier_url, *api_key_file, *max_in_flight, *spend_limit;
	char services[4096];
	int rates_only;
};

/* Why one order was not bought. */
struct reason {
	int64_t line;
	int status;
	char key[64], text[300];
};

struct verdict {
	struct reason reasons[REASONS_MAX];
	size_t reason_count;
	int64_t not_own; /* orders that failed for a reason outside of the order */
	int64_t limited; /* orders that a spend limit or price limit stopped */
	int stranded;    /* of `not_own`, in a row */
	atomic_int must_stop;
};

struct job {
	struct options options;
	shipopt_client *client;
	shipopt_source *source;
	shipopt_sink *sink;
	shipopt_run *run;
	struct verdict verdict;
};

/* Set by Ctrl-C. */
extern volatile sig_atomic_t interrupted;

/* 0; 1: print the usage and end; -1: bad usage, and a message was printed. */
int options_parse(struct options *options, int argc, char **argv);
void options_print_usage(void);

/* Opens the orders, the carrier, the store and the out file, and starts the run. 0, or 1 after a message. Nothing is
 * sent before everything is open. */
int job_start(struct job *job);
/* Frees everything. 0, or 1 if the out file may be incomplete. */
int job_end(struct job *job);

/* Waits for the end of the run, shows progress, and turns Ctrl-C into a cancel. Returns the run's status. */
int watch_run(struct job *job);
/* Reads one number of the run. */
int64_t run_number(const struct job *job, int stat);

/* An item callback: collects what the verdict needs. */
void verdict_add(void *userdata, const shipopt_item *item);
void verdict_print_summary(const struct job *job);
/* Says what is left to do. Returns the exit status. */
int verdict_exit_status(const struct job *job, int run_status);

#endif
