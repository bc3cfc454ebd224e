/* SPDX-License-Identifier: MIT */
#include "http/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/memory.h"

/* A name lookup needs libcurl's pair, a file and a socket. */
#define LOOKUP_DESCRIPTORS 4

struct tcp_connection {
	struct list_node node; /* in a bucket */
	int fd, local_port, peer_port;
	char local[TCP_ADDRESS_SIZE], peer[TCP_ADDRESS_SIZE];
};

void tcp_table_init(struct tcp_table *table)
{
	for (size_t i = 0; i < TCP_BUCKETS; i++)
		list_init(&table->buckets[i]);
}

void tcp_table_done(struct tcp_table *table)
{
	struct list_node *node;
	for (size_t i = 0; i < TCP_BUCKETS; i++)
		while ((node = list_pop_front(&table->buckets[i])))
			mem_free(LIST_MEMBER(node, struct tcp_connection, node));
}

/* ---- opening and closing ----------------------------------------------------------------------------------- */

static int tcp_socket(int family, int type, int protocol)
{
	if (fault_point()) {
		errno = EMFILE;
		return -1;
	}
#ifdef SOCK_CLOEXEC
	return socket(family, type | SOCK_CLOEXEC, protocol);
#else
	int fd = socket(family, type, protocol);
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC); /* cannot fail on an open descriptor */
	return fd;
#endif
}

int tcp_open(struct tcp_opened *opened, const struct curl_sockaddr *address)
{
	int fd = tcp_socket(address->family, address->socktype, address->protocol);
	if (fd < 0)
		return -errno;
	opened->fds[opened->count++ % TCP_OPENED_MAX] = fd;
	return fd;
}

static void tcp_forget(struct tcp_table *table, int fd)
{
	for (size_t i = 0; i < TCP_BUCKETS; i++) {
		LIST_FOREACH(node, &table->buckets[i]) {
			struct tcp_connection *connection = LIST_MEMBER(node, struct tcp_connection, node);
			if (connection->fd != fd)
				continue;
			list_remove(node);
			mem_free(connection);
		}
	}
}

void tcp_close(struct tcp_table *table, int fd)
{
	tcp_forget(table, fd);
	close(fd);
}

/* ---- remembering ------------------------------------------------------------------------------------------- */

static struct list_node *tcp_bucket(struct tcp_table *table, const struct tcp_name *name)
{
	return &table->buckets[(unsigned)name->local_port % TCP_BUCKETS];
}

static int tcp_local_port(int fd)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return -1;
	if (address.ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)(const void *)&address)->sin_port);
	return address.ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)(const void *)&address)->sin6_port)
					     : -1;
}

/* Newest first: an older one may be closed, and its number may belong to another file by now. */
static int tcp_find_opened(const struct tcp_opened *opened, int local_port)
{
	for (size_t i = 0; i < MIN(opened->count, TCP_OPENED_MAX); i++) {
		int fd = opened->fds[(opened->count - 1 - i) % TCP_OPENED_MAX];
		if (tcp_local_port(fd) == local_port)
			return fd;
	}
	return -1;
}

void tcp_remember(struct tcp_table *table, const struct tcp_opened *opened, const struct tcp_name *name)
{
	int fd = tcp_find_opened(opened, name->local_port);
	struct tcp_connection *connection = fd < 0 ? NULL : mem_alloc_zero(sizeof(*connection));
	if (!connection)
		return;
	list_init(&connection->node);
	connection->fd = fd;
	connection->local_port = name->local_port;
	connection->peer_port = name->peer_port;
	snprintf(connection->local, sizeof(connection->local), "%s", name->local);
	snprintf(connection->peer, sizeof(connection->peer), "%s", name->peer);
	list_push_front(tcp_bucket(table, name), &connection->node);
}

static struct tcp_connection *tcp_find(struct tcp_table *table, const struct tcp_name *name)
{
	LIST_FOREACH(node, tcp_bucket(table, name)) {
		struct tcp_connection *connection = LIST_MEMBER(node, struct tcp_connection, node);
		if (connection->local_port == name->local_port && connection->peer_port == name->peer_port &&
			strcmp(connection->local, name->local) == 0 && strcmp(connection->peer, name->peer) == 0)
			return connection;
	}
	return NULL;
}

/* ---- examining --------------------------------------------------------------------------------------------- */

bool tcp_is_silent(struct tcp_table *table, const struct tcp_name *name, const SSL *tls)
{
	const struct tcp_connection *connection = tcp_find(table, name);
	char byte;
	if (!connection || (tls && SSL_has_pending(tls)))
		return false;
	return recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* ---- shortages --------------------------------------------------------------------------------------------- */

bool tcp_is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

int tcp_shortage_now(void)
{
	int fds[LOOKUP_DESCRIPTORS], error = 0;
	size_t count = 0;
	while (count < LOOKUP_DESCRIPTORS && error == 0) {
		int fd = tcp_socket(AF_INET, SOCK_STREAM, 0);
		if (fd < 0)
			error = errno;
		else
			fds[count++] = fd;
	}
	while (count > 0)
		close(fds[--count]);
	return tcp_is_shortage(error) ? error : 0;
}
