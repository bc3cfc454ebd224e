/* SPDX-License-Identifier: MIT */
#include "pgbouncer_process.h"

#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_TRIES 500

static const char *find_program(void)
{
	static const char *const places[] = {"/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

static _Noreturn void run_child(const struct postgres *postgres, const char *program, char *settings, pid_t parent)
{
	char *arguments[] = {(char *)(uintptr_t)program, (char[]){"-q"}, settings, NULL};
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (geteuid() == 0 && (setgid(postgres->gid) != 0 || setuid(postgres->uid) != 0))
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || !freopen("/dev/null", "w", stderr) || !freopen("/dev/null", "w", stdout))
		_exit(126);
	execv(program, arguments);
	_exit(127);
}

int pgbouncer_start(struct pgbouncer *pgbouncer, const struct postgres *postgres, int server_connections)
{
	char settings[POSTGRES_PATH_SIZE + 32];
	const char *program = find_program();
	*pgbouncer = (struct pgbouncer){.port = postgres_free_port()};
	snprintf(settings, sizeof(settings), "%s/pgbouncer.ini", postgres->folder);
	FILE *file = program ? fopen(settings, "w") : NULL;
	if (!file)
		return -1;
	fprintf(file,
		"[databases]\npostgres = host=%s port=%d user=postgres dbname=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
		"listen_port = %d\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = %d\n"
		"max_client_conn = 500\n",
		postgres->folder, postgres->port, pgbouncer->port, server_connections);
	fclose(file);
	snprintf(pgbouncer->conninfo, sizeof(pgbouncer->conninfo),
		"host=127.0.0.1 port=%d user=postgres dbname=postgres", pgbouncer->port);
	pid_t parent = getpid();
	pgbouncer->pid = fork();
	if (pgbouncer->pid == 0)
		run_child(postgres, program, settings, parent);
	for (int i = 0; i < START_TRIES && pgbouncer->pid > 0; i++) {
		if (PQping(pgbouncer->conninfo) == PQPING_OK)
			return 0;
		poll(NULL, 0, 20); /* there is no event for "it accepts now" */
	}
	pgbouncer_stop(pgbouncer);
	return -1;
}

void pgbouncer_stop(struct pgbouncer *pgbouncer)
{
	if (pgbouncer->pid <= 0)
		return;
	kill(pgbouncer->pid, SIGTERM);
	waitpid(pgbouncer->pid, NULL, 0);
	pgbouncer->pid = 0;
}
