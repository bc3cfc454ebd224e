/* SPDX-License-Identifier: MIT */

/*
 * Buys planted test orders in a process of its own, to be killed or to share its store with another one.
 *
 *	buy_worker CARRIER_URL STORE_URL COUNT SETTINGS
 *
 * The orders are those of fixture_orders_planted(COUNT, "order", "never", BUY_WORKER_PLANTED_EVERY), the settings those
 * of fixture_open(). Prints one line with what became of them. Exit status 0: the run came to its end and nothing is in
 * doubt; 3: something is; others: it failed.
 */
#include "cmocka_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/memory.h"
#include "buy_worker.h"

int main(int argc, char **argv)
{
	struct bulk_fixture fixture = {0};
	struct fixture_result result;
	if (argc != 5)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(fixture.sandbox.url, sizeof(fixture.sandbox.url), "%s", argv[1]);
	snprintf(fixture.store_url, sizeof(fixture.store_url), "%s", argv[2]);
	size_t count = strtoul(argv[3], NULL, 10);
	fixture_open(&fixture, argv[4]);
	fixture_buy(&fixture, fixture_orders_planted(count, "order", "never", BUY_WORKER_PLANTED_EVERY), &result);
	printf("process %d: %lld ms, %lld bought, %lld already, %lld failed, %lld in doubt, status %d %s\n", getpid(),
		(long long)result.elapsed_ms, (long long)result.done, (long long)result.already,
		(long long)result.failed, (long long)result.in_doubt, result.status, result.message);
	fflush(stdout);
	fixture_close(&fixture);
	if (result.status < 0 || mem_live_count() != 0)
		return 1;
	return result.in_doubt > 0 ? 3 : 0;
}
