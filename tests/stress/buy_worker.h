/* SPDX-License-Identifier: MIT */
#ifndef TESTS_STRESS_BUY_WORKER_H
#define TESTS_STRESS_BUY_WORKER_H

#include "bulk_fixture.h"

/*
 * The faults and the orders that the stress tests of buying share, and the program that buys them in a process of its
 * own (buy_worker.c, found by the environment variable SHIPOPT_BUY_WORKER).
 *
 * Every BUY_WORKER_PLANTED_EVERY-th order is one that the carrier refuses to sell for ("never-…"), always; only these
 * may fail. A purchase goes out within a sixth of settle_ms and may take effect two seconds after its connection died,
 * which leaves two for a machine that holds up the sandbox.
 */
#define BUY_WORKER_FAULTS                                                                    \
	"{\"lost-answer\": 0.1, \"retry-after\": \"0\", \"reset\": 0.05, \"garbage\": 0.02," \
	"\"late-effect\": \"0.1:0-2\", \"error-rate\": {\"429\": 0.1, \"500\": 0.02, \"502\": 0.01, \"503\": 0.02}}"
#define BUY_WORKER_NO_FAULTS "{\"reset\": true, \"unpurchasable\": \"never\", \"latency-ms\": 10}"
#define BUY_WORKER_SETTINGS \
	"carrier.timeout_ms=1000 carrier.settle_ms=5000 carrier.retry_base_ms=5 carrier.retry_cap_ms=100"
#define BUY_WORKER_PLANTED_EVERY 50

#endif
