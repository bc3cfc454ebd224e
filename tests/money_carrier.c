/* SPDX-License-Identifier: MIT */
#include "money_carrier.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX 32768

struct money_shipment {
	char reference[256];
	bool is_sold;
};

struct money_connection {
	struct money_carrier *carrier;
	int fd;
	pthread_t thread;
};

struct money_carrier {
	int listen_fd, port;
	pthread_t thread;
	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t sold;
	bool is_stopping;
	struct money_hooks hooks;
	struct money_connection connections[MONEY_CONNECTIONS_MAX];
	size_t connection_count;
	struct money_shipment shipments[MONEY_SHIPMENTS_MAX];
	unsigned shipment_count;
	struct money_books books;
};

/* ---- answers ----------------------------------------------------------------------------------------------- */

void money_send(int fd, const void *bytes, size_t length)
{
	const char *next = bytes;
	while (length > 0) {
		ssize_t sent = send(fd, next, length, MSG_NOSIGNAL);
		if (sent <= 0)
			return; /* the client has gone */
		next += sent;
		length -= (size_t)sent;
	}
}

void money_send_text(int fd, const char *text)
{
	money_send(fd, text, strlen(text));
}

void money_send_answer(int fd, const char *status_line, const char *headers, const char *body)
{
	char head[512];
	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n",
		status_line, headers, strlen(body));
	money_send_text(fd, head);
	money_send_text(fd, body);
}

void money_send_error(int fd, const char *status_line, const char *code)
{
	char body[256];
	snprintf(body, sizeof(body), "{\"error\":{\"code\":\"%s\",\"message\":\"as the test says\",\"errors\":[]}}",
		code);
	money_send_answer(fd, status_line, "", body);
}

/* ---- shipments --------------------------------------------------------------------------------------------- */

static void write_shipment(const struct money_carrier *carrier, unsigned number, char json[MONEY_JSON_MAX])
{
	const struct money_shipment *shipment = &carrier->shipments[number - 1];
	char rate[256], sold[512];
	snprintf(rate, sizeof(rate),
		"{\"id\":\"rate_%u\",\"object\":\"Rate\",\"carrier\":\"USPS\",\"service\":\"Priority\","
		"\"rate\":\"5.00\",\"currency\":\"USD\",\"delivery_days\":2,\"shipment_id\":\"shp_%u\"}",
		number, number);
	snprintf(sold, sizeof(sold),
		"\"selected_rate\":%s,\"postage_label\":{\"id\":\"pl_%u\",\"object\":\"PostageLabel\","
		"\"label_url\":\"https://labels.example/%u.png\"},\"tracking_code\":\"9400%u\"",
		rate, number, number, number);
	snprintf(json, MONEY_JSON_MAX,
		"{\"id\":\"shp_%u\",\"object\":\"Shipment\",\"reference\":\"%s\",\"rates\":[%s],%s,\"messages\":[]}",
		number, shipment->reference, rate,
		shipment->is_sold ? sold : "\"selected_rate\":null,\"postage_label\":null,\"tracking_code\":null");
}

/* The reference as it stands in the JSON, with its escapes. */
static void copy_reference(const char *body, char *reference, size_t size)
{
	const char *begin = strstr(body, "\"reference\":\""), *end;
	reference[0] = '\0';
	if (!begin)
		return;
	begin += strlen("\"reference\":\"");
	for (end = begin; *end && *end != '"'; end++)
		end += *end == '\\';
	snprintf(reference, size, "%.*s", (int)(end - begin), begin);
}

static unsigned make_shipment(struct money_carrier *carrier, const char *body)
{
	if (carrier->shipment_count == MONEY_SHIPMENTS_MAX)
		abort();
	copy_reference(body, carrier->shipments[carrier->shipment_count].reference,
		sizeof(carrier->shipments[0].reference));
	return ++carrier->shipment_count;
}

/* False if it is sold already. */
static bool sell(struct money_carrier *carrier, unsigned number)
{
	struct money_shipment *shipment = &carrier->shipments[number - 1];
	if (shipment->is_sold)
		return false;
	for (unsigned i = 0; i < carrier->shipment_count; i++)
		carrier->books.doubles += carrier->shipments[i].is_sold &&
			strcmp(carrier->shipments[i].reference, shipment->reference) == 0;
	shipment->is_sold = true;
	carrier->books.labels++;
	pthread_cond_broadcast(&carrier->sold);
	return true;
}

/* ---- requests ---------------------------------------------------------------------------------------------- */

/* "POST /v2/shipments/shp_7/buy": 7, and what is behind the id. */
static unsigned find_shipment(const struct money_carrier *carrier, const char *path, const char **ret_rest)
{
	char *end;
	unsigned number = strncmp(path, "/v2/shipments/shp_", 18) == 0 ? (unsigned)strtoul(path + 18, &end, 10) : 0;
	*ret_rest = number > 0 ? end : "";
	return number <= carrier->shipment_count ? number : 0;
}

/* False: close the connection. */
static bool answer(struct money_carrier *carrier, int fd, const char *head, const char *body)
{
	bool is_post = strncmp(head, "POST ", 5) == 0, is_created = false, is_first = true, is_buy;
	const char *path = strchr(head, ' ') + 1, *rest;
	char json[MONEY_JSON_MAX] = "";
	struct money_request request = {.fd = fd, .head = head, .json = json};
	money_hook hook = NULL;
	pthread_mutex_lock(&carrier->lock);
	unsigned number = find_shipment(carrier, path, &rest);
	if (is_post && strncmp(path, "/v2/shipments ", 14) == 0) {
		number = make_shipment(carrier, body);
		request.number = ++carrier->books.creations;
		hook = carrier->hooks.create;
		is_created = true;
	}
	is_buy = is_post && number > 0 && strncmp(rest, "/buy ", 5) == 0;
	if (is_buy) {
		request.number = ++carrier->books.buys;
		is_first = sell(carrier, number);
		hook = is_first ? carrier->hooks.first_buy : NULL;
	} else if (!is_post && number > 0 && *rest == ' ') {
		request.number = ++carrier->books.look_ups;
		hook = carrier->hooks.look_up;
	}
	if (number > 0) {
		request.reference = carrier->shipments[number - 1].reference;
		write_shipment(carrier, number, json);
	}
	pthread_mutex_unlock(&carrier->lock);
	enum money_answer answered = hook ? hook(&request) : MONEY_USUAL;
	if (answered == MONEY_USUAL && !is_first)
		money_send_error(fd, "422 Unprocessable", "SHIPMENT.POSTAGE.EXISTS");
	else if (answered == MONEY_USUAL && request.number > 0)
		money_send_answer(fd, is_created ? "201 Created" : "200 OK", "", json);
	else if (answered == MONEY_USUAL)
		money_send_error(fd, "404 Not Found", "NOT_FOUND");
	return answered != MONEY_CLOSE;
}

static size_t body_length(const char *head)
{
	for (const char *line = strchr(head, '\n'); line; line = strchr(line + 1, '\n'))
		if (strncasecmp(line + 1, "content-length:", 15) == 0)
			return strtoul(line + 16, NULL, 10);
	return 0;
}

/* Reads one request into `text`: the length of its head, 0 at the end of the connection. */
static size_t read_request(int fd, char text[REQUEST_MAX])
{
	size_t length = 0;
	for (;;) {
		text[length] = '\0';
		char *end = strstr(text, "\r\n\r\n");
		if (end && length >= (size_t)(end + 4 - text) + body_length(text))
			return (size_t)(end + 4 - text);
		ssize_t got = length < REQUEST_MAX - 1 ? recv(fd, text + length, REQUEST_MAX - 1 - length, 0) : 0;
		if (got <= 0)
			return 0;
		length += (size_t)got;
	}
}

static void *connection_main(void *argument)
{
	struct money_connection *connection = argument;
	char *text = malloc(REQUEST_MAX);
	size_t head_length;
	while ((head_length = read_request(connection->fd, text)) > 0)
		if (!answer(connection->carrier, connection->fd, text, text + head_length))
			break;
	free(text);
	shutdown(connection->fd, SHUT_RDWR);
	return NULL;
}

static void *accept_main(void *argument)
{
	struct money_carrier *carrier = argument;
	int fd;
	while ((fd = accept4(carrier->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		pthread_mutex_lock(&carrier->lock);
		if (carrier->is_stopping || carrier->connection_count == MONEY_CONNECTIONS_MAX) {
			pthread_mutex_unlock(&carrier->lock);
			close(fd);
			continue;
		}
		struct money_connection *connection = &carrier->connections[carrier->connection_count++];
		connection->carrier = carrier;
		connection->fd = fd;
		if (pthread_create(&connection->thread, NULL, connection_main, connection) != 0)
			abort();
		pthread_mutex_unlock(&carrier->lock);
	}
	return NULL;
}

/* ---- life -------------------------------------------------------------------------------------------------- */

int money_carrier_start(const struct money_hooks *hooks, struct money_carrier **ret_carrier)
{
	struct money_carrier *carrier = calloc(1, sizeof(*carrier));
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	if (!carrier)
		return -1;
	carrier->hooks = hooks ? *hooks : (struct money_hooks){0};
	pthread_mutex_init(&carrier->lock, NULL);
	pthread_cond_init(&carrier->sold, NULL);
	carrier->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (carrier->listen_fd < 0 || bind(carrier->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(carrier->listen_fd, 64) < 0 ||
		getsockname(carrier->listen_fd, (struct sockaddr *)&address, &length) < 0 ||
		pthread_create(&carrier->thread, NULL, accept_main, carrier) != 0) {
		free(carrier);
		return -1;
	}
	carrier->port = ntohs(address.sin_port);
	*ret_carrier = carrier;
	return 0;
}

void money_carrier_stop(struct money_carrier *carrier)
{
	pthread_mutex_lock(&carrier->lock);
	carrier->is_stopping = true;
	for (size_t i = 0; i < carrier->connection_count; i++)
		shutdown(carrier->connections[i].fd, SHUT_RDWR);
	pthread_mutex_unlock(&carrier->lock);
	shutdown(carrier->listen_fd, SHUT_RDWR);
	pthread_join(carrier->thread, NULL);
	for (size_t i = 0; i < carrier->connection_count; i++) {
		pthread_join(carrier->connections[i].thread, NULL);
		close(carrier->connections[i].fd);
	}
	close(carrier->listen_fd);
	pthread_cond_destroy(&carrier->sold);
	pthread_mutex_destroy(&carrier->lock);
	free(carrier);
}

void money_carrier_set(struct money_carrier *carrier, const struct money_hooks *hooks)
{
	pthread_mutex_lock(&carrier->lock);
	carrier->hooks = hooks ? *hooks : (struct money_hooks){0};
	pthread_mutex_unlock(&carrier->lock);
}

int money_carrier_port(const struct money_carrier *carrier)
{
	return carrier->port;
}

void money_carrier_books(struct money_carrier *carrier, struct money_books *ret_books)
{
	pthread_mutex_lock(&carrier->lock);
	*ret_books = carrier->books;
	pthread_mutex_unlock(&carrier->lock);
}

void money_carrier_await_labels(struct money_carrier *carrier, unsigned count)
{
	pthread_mutex_lock(&carrier->lock);
	while (carrier->books.labels < count)
		pthread_cond_wait(&carrier->sold, &carrier->lock);
	pthread_mutex_unlock(&carrier->lock);
}
