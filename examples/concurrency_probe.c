/* SPDX-License-Identifier: MIT */

/*
 * concurrency_probe: how many simultaneous requests does this account allow?
 *
 *	$ SHIPOPT_CARRIER_API_KEY=EZTK… concurrency_probe
 *	at once   calls   seconds   calls/s   limited   failed
 *	     16     100      1.92      52.1         0        0
 *
 * Reads 100 trackers at each level, with a fixed limit and without retries, so that each refusal shows. The adaptive
 * limit of the carrier client searches for the same number all the time.
 */
#include <shipopt/shipopt.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define CALLS 100

struct level {
	atomic_int limited, failed;
};

static void on_done(void *userdata, shipopt_op *op)
{
	struct level *level = userdata; /* callbacks of separate calls may overlap: atomics */
	int status = shipopt_op_status(op);
	if (status == SHIPOPT_ERATELIMIT)
		atomic_fetch_add(&level->limited, 1);
	else if (status < 0)
		atomic_fetch_add(&level->failed, 1);
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Makes all calls at once. The client queues them and sends as many as its limit allows. */
static int call_all(shipopt_carrier *carrier, struct level *level)
{
	shipopt_op *ops[CALLS] = {NULL};
	int r = 0;
	for (int i = 0; r >= 0 && i < CALLS; i++)
		r = shipopt_carrier_tracker_create(carrier, "EZ4000000004", NULL, on_done, level, &ops[i]);
	for (int i = 0; i < CALLS; i++) {
		if (ops[i])
			shipopt_op_wait(ops[i], -1);
		shipopt_op_unref(ops[i]);
	}
	return r;
}

static int probe(shipopt_runtime *runtime, int64_t at_once)
{
	struct level level = {0};
	shipopt_carrier_config *config = NULL;
	shipopt_carrier *carrier = NULL;
	shipopt_error *error = NULL;
	int r = shipopt_carrier_config_new(&config);
	r = r < 0 ? r : shipopt_carrier_config_from_env(config);
	r = r < 0 ? r : shipopt_carrier_config_set_int(config, SHIPOPT_CARRIER_ADAPTIVE, 0);
	r = r < 0 ? r : shipopt_carrier_config_set_int(config, SHIPOPT_CARRIER_CONCURRENCY_MAX, at_once);
	r = r < 0 ? r : shipopt_carrier_config_set_int(config, SHIPOPT_CARRIER_ATTEMPTS_MAX, 1);
	r = r < 0 ? r : shipopt_carrier_new(runtime, config, &carrier, &error);
	double start = now();
	r = r < 0 ? r : call_all(carrier, &level);
	double seconds = now() - start;
	if (r < 0)
		fprintf(stderr, "concurrency_probe: %s\n",
			error ? shipopt_error_text(error) : shipopt_error_description(r));
	else
		printf("%7d %7d %9.2f %9.1f %9d %8d\n", (int)at_once, CALLS, seconds, CALLS / seconds, level.limited,
			level.failed);
	shipopt_error_unref(error);
	shipopt_carrier_free(carrier);
	shipopt_carrier_config_free(config);
	return r;
}

int main(void)
{
	static const int64_t levels[] = {16, 24, 32, 48, 64};
	shipopt_runtime *runtime = NULL;
	int r = shipopt_runtime_new(NULL, &runtime, NULL);
	printf("at once   calls   seconds   calls/s   limited   failed\n");
	for (size_t i = 0; r >= 0 && i < sizeof(levels) / sizeof(levels[0]); i++)
		r = probe(runtime, levels[i]);
	shipopt_runtime_close(runtime, -1);
	shipopt_runtime_free(runtime);
	return r < 0;
}
