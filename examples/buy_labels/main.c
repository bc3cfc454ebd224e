/* SPDX-License-Identifier: MIT */

/*
 * buy_labels: an orders file becomes bought labels.
 *
 *	$ export SHIPOPT_CARRIER_API_KEY=EZTK…
 *	$ buy_labels --orders orders.csv --store sqlite:ship.db --out labels.csv
 *
 * Each order is bought once, whatever happens: the purchase ledger in the store records a purchase before the carrier
 * is asked for it. Stop the program at any moment and run the same command again: it continues, and buys nothing twice.
 *
 * Exit status: 0 every order was bought, or failed for a reason of its own (a bad row, a refused address). 1 the run
 * could not go on, or something is left to do; the message says what. 2 bad usage.
 */
#include "buy_labels.h"

volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

int main(int argc, char **argv)
{
	static struct job job;
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
	int r = options_parse(&job.options, argc, argv);
	if (r > 0)
		options_print_usage();
	if (r != 0)
		return r > 0 ? 0 : 2;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	int status = job_start(&job);
	if (status == 0) {
		int run_status = watch_run(&job);
		verdict_print_summary(&job);
		status = verdict_exit_status(&job, run_status);
	}
	return job_end(&job) || status;
}
