/* SPDX-License-Identifier: MIT */
#include "script_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX ((size_t)256 << 10)
#define SCRIPTS_MAX 64
#define STEPS_MAX (sizeof(((struct script *)0)->steps) / sizeof(struct script_step))

struct connection {
	int fd;
	SSL *tls;
	char *input;
	size_t input_length;
	bool is_counted;             /* the head of the request that is being read */
	const struct script *script; /* being played */
	size_t step;
	int64_t resume_ms;
	bool is_held, is_gathering;
};

struct script_server {
	pthread_t thread;
	int listen_fd, wake_fds[2], port;
	SSL_CTX *tls;
	const struct script *scripts;
	size_t script_count;
	struct connection *connections[SCRIPT_CONNECTIONS_MAX];
	size_t connection_count;
	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t changed;
	bool stopping;
	unsigned accepted, heads, heads_by_script[SCRIPTS_MAX];
	char last[8192];
};

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void connection_close(struct connection *connection, bool is_reset)
{
	if (is_reset) {
		struct linger linger = {.l_onoff = 1};
		setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	} else if (connection->tls) {
		SSL_shutdown(connection->tls);
	}
	SSL_free(connection->tls);
	close(connection->fd);
	free(connection->input);
	free(connection);
}

/* The answers of tests are small or read at once, so a blocked write is waited for. */
static bool connection_write(struct connection *connection, const char *bytes, size_t length)
{
	while (length > 0) {
		struct pollfd entry = {.fd = connection->fd, .events = POLLOUT};
		ssize_t written = connection->tls ? SSL_write(connection->tls, bytes, (int)length)
						  : send(connection->fd, bytes, length, MSG_NOSIGNAL);
		if (written > 0) {
			bytes += written;
			length -= (size_t)written;
		} else if (connection->tls ? SSL_get_error(connection->tls, (int)written) != SSL_ERROR_WANT_WRITE
					   : errno != EAGAIN) {
			return false;
		} else if (poll(&entry, 1, 2000) <= 0) {
			return false;
		}
	}
	return true;
}

/* Plays until a wait, the end of the script, or the end of the connection: false. */
static bool connection_play(struct connection *connection)
{
	while (connection->script && connection->step < STEPS_MAX) {
		const struct script_step *step = &connection->script->steps[connection->step];
		if (step->action == SCRIPT_SEND && !step->bytes)
			break;
		connection->step++;
		switch (step->action) {
		case SCRIPT_SEND:
			if (!connection_write(connection, step->bytes,
				    step->length ? step->length : strlen(step->bytes)))
				return false;
			break;
		case SCRIPT_WAIT: connection->resume_ms = now_ms() + step->ms; return true;
		case SCRIPT_GATHER: connection->is_gathering = true; return true;
		case SCRIPT_TICKET:
			if (!connection->tls || SSL_new_session_ticket(connection->tls) != 1 ||
				SSL_do_handshake(connection->tls) != 1)
				return false;
			break;
		case SCRIPT_HOLD: connection->is_held = true; return true;
		case SCRIPT_CLOSE:
		case SCRIPT_RESET: return false;
		}
	}
	connection->script = NULL;
	return true;
}

static const struct script *find_script(struct script_server *server, const char *head, unsigned **ret_count)
{
	const char *path = strchr(head, ' ');
	path = path ? path + 1 : "";
	size_t length = strcspn(path, " ?");
	for (size_t i = 0; i < server->script_count; i++) {
		if (strlen(server->scripts[i].path) == length && strncmp(server->scripts[i].path, path, length) == 0) {
			*ret_count = &server->heads_by_script[i];
			return &server->scripts[i];
		}
	}
	return NULL;
}

static size_t body_length(const char *head)
{
	for (const char *line = strchr(head, '\n'); line; line = strchr(line + 1, '\n'))
		if (strncasecmp(line + 1, "content-length:", 15) == 0)
			return strtoul(line + 16, NULL, 10);
	return 0;
}

static void count_head(struct script_server *server, struct connection *connection)
{
	unsigned *count = NULL;
	connection->is_counted = true;
	pthread_mutex_lock(&server->lock);
	server->heads++;
	find_script(server, connection->input, &count);
	if (count)
		++*count;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
}

/* Takes a whole request out of the input and starts its script. */
static bool connection_serve(struct script_server *server, struct connection *connection)
{
	connection->input[connection->input_length] = '\0';
	char *end = strstr(connection->input, "\r\n\r\n");
	if (!end || connection->script || connection->is_held)
		return true;
	if (!connection->is_counted)
		count_head(server, connection);
	size_t total = (size_t)(end + 4 - connection->input) + body_length(connection->input);
	if (connection->input_length < total)
		return true;
	unsigned *count = NULL;
	pthread_mutex_lock(&server->lock);
	snprintf(server->last, sizeof(server->last), "%.*s", (int)total, connection->input);
	pthread_mutex_unlock(&server->lock);
	connection->script = find_script(server, connection->input, &count);
	connection->step = 0;
	connection->is_counted = false;
	connection->input_length -= total;
	memmove(connection->input, connection->input + total, connection->input_length + 1);
	return connection->script && connection_play(connection);
}

static bool connection_read(struct script_server *server, struct connection *connection)
{
	for (;;) {
		size_t room = INPUT_MAX - connection->input_length;
		char *into = connection->input + connection->input_length;
		ssize_t length = connection->tls ? SSL_read(connection->tls, into, (int)room)
						 : recv(connection->fd, into, room, 0);
		if (length <= 0) {
			bool waits = connection->tls
				? SSL_get_error(connection->tls, (int)length) == SSL_ERROR_WANT_READ
				: length < 0 && errno == EAGAIN;
			return waits;
		}
		connection->input_length += (size_t)length;
		if (!connection_serve(server, connection))
			return false;
	}
}

static void server_accept(struct script_server *server)
{
	int fd;
	while (server->connection_count < SCRIPT_CONNECTIONS_MAX &&
		(fd = accept4(server->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		int on = 1;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		struct connection *connection = calloc(1, sizeof(*connection));
		connection->fd = fd;
		connection->input = malloc(INPUT_MAX + 1);
		if (server->tls) {
			connection->tls = SSL_new(server->tls);
			SSL_set_fd(connection->tls, fd);
			SSL_set_accept_state(connection->tls);
		}
		server->connections[server->connection_count++] = connection;
		pthread_mutex_lock(&server->lock);
		server->accepted++;
		pthread_cond_broadcast(&server->changed);
		pthread_mutex_unlock(&server->lock);
	}
}

static bool connection_step(struct script_server *server, struct connection *connection, short events)
{
	if (connection->resume_ms) {
		if (now_ms() < connection->resume_ms)
			return true;
		connection->resume_ms = 0;
		return connection_play(connection) && connection_serve(server, connection);
	}
	return !events || connection_read(server, connection);
}

static size_t count_gathering(const struct script_server *server, const struct script *script)
{
	size_t count = 0;
	for (size_t i = 0; i < server->connection_count; i++)
		count += server->connections[i]->is_gathering && server->connections[i]->script == script;
	return count;
}

/* Those that are enough by now go on in the next turn. */
static void release_gathered(struct script_server *server)
{
	for (size_t i = 0; i < server->script_count; i++) {
		const struct script *script = &server->scripts[i];
		for (size_t step = 0; step < STEPS_MAX; step++) {
			if (script->steps[step].action != SCRIPT_GATHER ||
				count_gathering(server, script) < script->steps[step].count)
				continue;
			for (size_t j = 0; j < server->connection_count; j++) {
				struct connection *connection = server->connections[j];
				if (connection->is_gathering && connection->script == script)
					connection->resume_ms = now_ms();
				connection->is_gathering = connection->is_gathering && connection->script != script;
			}
		}
	}
}

static int time_to_wait(const struct script_server *server)
{
	int64_t first = INT64_MAX;
	for (size_t i = 0; i < server->connection_count; i++)
		if (server->connections[i]->resume_ms && server->connections[i]->resume_ms < first)
			first = server->connections[i]->resume_ms;
	int64_t left = first - now_ms();
	return first == INT64_MAX ? -1 : left < 0 ? 0 : (int)left;
}

static bool is_stopping(struct script_server *server)
{
	pthread_mutex_lock(&server->lock);
	bool stopping = server->stopping;
	pthread_mutex_unlock(&server->lock);
	return stopping;
}

static void *server_main(void *argument)
{
	struct script_server *server = argument;
	static _Thread_local struct pollfd entries[SCRIPT_CONNECTIONS_MAX + 2];
	/* Clients go away; the library's own threads keep the signal, so that tests see it. */
	sigset_t broken_pipe;
	sigemptyset(&broken_pipe);
	sigaddset(&broken_pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL);
	while (!is_stopping(server)) {
		size_t count = server->connection_count;
		for (size_t i = 0; i < count; i++)
			entries[i] =
				(struct pollfd){.fd = server->connections[i]->resume_ms ? -1
											: server->connections[i]->fd,
					.events = POLLIN};
		entries[count] = (struct pollfd){.fd = server->listen_fd, .events = POLLIN};
		entries[count + 1] = (struct pollfd){.fd = server->wake_fds[0], .events = POLLIN};
		poll(entries, count + 2, time_to_wait(server));
		for (size_t i = count; i-- > 0;) {
			if (connection_step(server, server->connections[i], entries[i].revents))
				continue;
			const struct connection *connection = server->connections[i];
			const struct script *script = connection->script;
			bool is_reset = script && connection->step > 0 &&
				script->steps[connection->step - 1].action == SCRIPT_RESET;
			connection_close(server->connections[i], is_reset);
			server->connections[i] = server->connections[--server->connection_count];
		}
		release_gathered(server);
		if (entries[count].revents)
			server_accept(server);
	}
	return NULL;
}

static SSL_CTX *tls_context(const char *certificate, const char *key)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	if (context && SSL_CTX_use_certificate_file(context, certificate, SSL_FILETYPE_PEM) == 1 &&
		SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1)
		return context;
	SSL_CTX_free(context);
	return NULL;
}

static int listen_here(struct script_server *server)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(server->listen_fd, (struct sockaddr *)&address, size) < 0 || listen(server->listen_fd, 1024) < 0 ||
		getsockname(server->listen_fd, (struct sockaddr *)&address, &size) < 0)
		return -1;
	server->port = ntohs(address.sin_port);
	return pipe2(server->wake_fds, O_CLOEXEC);
}

int script_server_start(const struct script *scripts, size_t count, const char *certificate, const char *key,
	struct script_server **ret_server)
{
	struct script_server *server = calloc(1, sizeof(*server));
	server->scripts = scripts;
	server->script_count = count;
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->changed, NULL);
	if (certificate)
		server->tls = tls_context(certificate, key);
	if (count > SCRIPTS_MAX || (certificate && !server->tls) || listen_here(server) < 0 ||
		pthread_create(&server->thread, NULL, server_main, server) != 0)
		return -1;
	*ret_server = server;
	return 0;
}

void script_server_stop(struct script_server *server)
{
	pthread_mutex_lock(&server->lock);
	server->stopping = true;
	pthread_mutex_unlock(&server->lock);
	ssize_t written = write(server->wake_fds[1], "", 1);
	(void)written;
	pthread_join(server->thread, NULL);
	for (size_t i = 0; i < server->connection_count; i++)
		connection_close(server->connections[i], false);
	close(server->listen_fd);
	close(server->wake_fds[0]);
	close(server->wake_fds[1]);
	SSL_CTX_free(server->tls);
	pthread_mutex_destroy(&server->lock);
	pthread_cond_destroy(&server->changed);
	free(server);
}

int script_server_port(const struct script_server *server)
{
	return server->port;
}

static unsigned count_of(const struct script_server *server, const char *path)
{
	for (size_t i = 0; path && i < server->script_count; i++)
		if (strcmp(server->scripts[i].path, path) == 0)
			return server->heads_by_script[i];
	return path ? 0 : server->heads;
}

unsigned script_server_requests(struct script_server *server, const char *path)
{
	pthread_mutex_lock(&server->lock);
	unsigned count = count_of(server, path);
	pthread_mutex_unlock(&server->lock);
	return count;
}

unsigned script_server_connections(struct script_server *server)
{
	pthread_mutex_lock(&server->lock);
	unsigned count = server->accepted;
	pthread_mutex_unlock(&server->lock);
	return count;
}

void script_server_await(struct script_server *server, const char *path, unsigned count)
{
	pthread_mutex_lock(&server->lock);
	while (count_of(server, path) < count)
		pthread_cond_wait(&server->changed, &server->lock);
	pthread_mutex_unlock(&server->lock);
}

void script_server_last(struct script_server *server, char *ret_text, size_t size)
{
	pthread_mutex_lock(&server->lock);
	snprintf(ret_text, size, "%s", server->last);
	pthread_mutex_unlock(&server->lock);
}
