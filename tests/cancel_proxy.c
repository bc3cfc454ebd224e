/* SPDX-License-Identifier: MIT */
#include "cancel_proxy.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINKS_MAX 256
#define CANCEL_CODE UINT32_C(80877102) /* CancelRequest: "Message Formats" of PostgreSQL's protocol */

struct link { /* two ends; other < 0: swallowed */
	int client, server;
};

static int connect_to(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static struct link take(struct cancel_proxy *proxy)
{
	uint32_t words[2] = {0, 0};
	struct link link = {accept(proxy->fd, NULL, NULL), -1};
	if (link.client >= 0 && recv(link.client, words, sizeof(words), MSG_PEEK | MSG_WAITALL) == sizeof(words) &&
		ntohl(words[1]) == CANCEL_CODE)
		atomic_fetch_add(&proxy->swallowed, 1);
	else
		link.server = connect_to(proxy->server_port);
	return link;
}

/* False at the end of one side. */
static bool pass(int from, int to)
{
	char bytes[16384];
	ssize_t length = recv(from, bytes, sizeof(bytes), 0);
	for (ssize_t sent = 0, n; length > 0 && sent < length; sent += n) {
		n = send(to, bytes + sent, (size_t)(length - sent), MSG_NOSIGNAL);
		if (n <= 0)
			return false;
	}
	return length > 0;
}

static void close_link(struct link *link)
{
	close(link->client);
	if (link->server >= 0)
		close(link->server);
	*link = (struct link){-1, -1};
}

static void *proxy_main(void *argument)
{
	struct cancel_proxy *proxy = argument;
	static struct link links[LINKS_MAX];
	static struct pollfd entries[2 + 2 * LINKS_MAX];
	int count = 0;
	for (;;) {
		entries[0] = (struct pollfd){.fd = proxy->stop[0], .events = POLLIN};
		entries[1] = (struct pollfd){.fd = count < LINKS_MAX ? proxy->fd : -1, .events = POLLIN};
		for (int i = 0; i < count; i++) {
			bool is_passed = links[i].server >= 0;
			entries[2 + 2 * i] = (struct pollfd){.fd = is_passed ? links[i].client : -1, .events = POLLIN};
			entries[3 + 2 * i] = (struct pollfd){.fd = links[i].server, .events = POLLIN};
		}
		if (poll(entries, (nfds_t)(2 + 2 * count), -1) < 0 || entries[0].revents)
			break;
		for (int i = 0; i < count; i++) {
			bool ends = (entries[2 + 2 * i].revents && !pass(links[i].client, links[i].server)) ||
				(entries[3 + 2 * i].revents && !pass(links[i].server, links[i].client));
			if (ends)
				close_link(&links[i]);
		}
		if (entries[1].revents)
			links[count++] = take(proxy);
	}
	for (int i = 0; i < count; i++)
		if (links[i].client >= 0)
			close_link(&links[i]);
	return NULL;
}

int cancel_proxy_start(struct cancel_proxy *proxy, int server_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	memset(proxy, 0, sizeof(*proxy));
	proxy->server_port = server_port;
	proxy->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (proxy->fd < 0 || pipe(proxy->stop) != 0)
		return -1;
	if (bind(proxy->fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(proxy->fd, 64) != 0 ||
		getsockname(proxy->fd, (struct sockaddr *)&address, &size) != 0)
		return -1;
	proxy->port = ntohs(address.sin_port);
	return pthread_create(&proxy->thread, NULL, proxy_main, proxy) == 0 ? 0 : -1;
}

void cancel_proxy_stop(struct cancel_proxy *proxy)
{
	close(proxy->stop[1]);
	pthread_join(proxy->thread, NULL);
	close(proxy->stop[0]);
	close(proxy->fd);
}
