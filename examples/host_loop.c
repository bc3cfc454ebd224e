/* SPDX-License-Identifier: MIT */

/*
 * host_loop: the library inside a program that has an event loop of its own.
 *
 *	$ SHIPOPT_CARRIER_API_KEY=EZTK… host_loop EZ1000000001 EZ4000000004
 *	(type a tracking code, or end with Ctrl-D)
 *
 * The carrier client delivers results to a queue. The queue has a descriptor that is readable while results wait. The
 * program polls it beside its own descriptors and dispatches the queue on its own thread. Every callback runs there, so
 * nothing needs a lock.
 */
#include <poll.h>
#include <shipopt/shipopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct host {
	shipopt_carrier *carrier;
	shipopt_queue *queue;
	size_t running;
	int failed;
};

/* Runs on the host's thread, inside shipopt_queue_dispatch(). */
static void on_tracker(void *userdata, shipopt_op *op)
{
	struct host *host = userdata;
	const shipopt_record *tracker = shipopt_op_record(op);
	host->running--;
	if (shipopt_op_status(op) < 0) {
		host->failed++;
		printf("failed: %s\n", shipopt_error_text(shipopt_op_error(op)));
		return;
	}
	const char *status = shipopt_record_text(tracker, SHIPOPT_TRACKER_STATUS);
	printf("%s: %s\n", shipopt_record_text(tracker, SHIPOPT_TRACKER_TRACKING_CODE), status ? status : "unknown");
}

static void ask(struct host *host, const char *code)
{
	/* Returns at once. SHIPOPT_EAGAIN would mean that the queue's slots are taken: ask again after a dispatch. */
	int r = shipopt_carrier_tracker_create(host->carrier, code, NULL, on_tracker, host, NULL);
	if (r < 0) {
		host->failed++;
		printf("%s: %s\n", code, shipopt_error_description(r));
	} else {
		host->running++;
	}
}

static void read_codes(struct host *host, int *is_open)
{
	char text[512];
	ssize_t length = read(STDIN_FILENO, text, sizeof(text) - 1);
	*is_open = length > 0;
	text[length > 0 ? length : 0] = '\0';
	for (char *code = strtok(text, " \t\r\n"); code; code = strtok(NULL, " \t\r\n"))
		ask(host, code);
}

static void loop(struct host *host)
{
	int is_open = 1;
	while (is_open || host->running > 0) {
		struct pollfd fds[2] = {
			{.fd = shipopt_queue_fd(host->queue), .events = POLLIN},
			{.fd = is_open ? STDIN_FILENO : -1, .events = POLLIN}, /* poll ignores -1 */
		};
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			shipopt_queue_dispatch(host->queue, 0, 0); /* all that wait, without waiting */
		if (fds[1].revents)
			read_codes(host, &is_open);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	struct host host = {0};
	shipopt_runtime *runtime = NULL;
	shipopt_carrier_config *config = NULL;
	shipopt_error *error = NULL;
	int r = shipopt_runtime_new(NULL, &runtime, &error);
	r = r < 0 ? r : shipopt_queue_new(runtime, 0, &host.queue);
	r = r < 0 ? r : shipopt_carrier_config_new(&config);
	r = r < 0 ? r : shipopt_carrier_config_from_env(config);
	r = r < 0 ? r : shipopt_carrier_config_set_queue(config, host.queue); /* completions go there */
	r = r < 0 ? r : shipopt_carrier_new(runtime, config, &host.carrier, &error);
	if (r < 0)
		fprintf(stderr, "host_loop: %s\n", error ? shipopt_error_text(error) : shipopt_error_description(r));
	for (int i = 1; r >= 0 && i < argc; i++)
		ask(&host, argv[i]);
	if (r >= 0)
		loop(&host);
	shipopt_error_unref(error);
	shipopt_carrier_free(host.carrier);
	shipopt_carrier_config_free(config);
	shipopt_runtime_close(runtime, -1);
	shipopt_queue_free(host.queue);
	shipopt_runtime_free(runtime);
	return r < 0 || host.failed > 0;
}
