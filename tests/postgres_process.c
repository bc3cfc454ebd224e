/* SPDX-License-Identifier: MIT */
#include "postgres_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <glob.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_TRIES 600
/* Below those that systems give out by themselves, which are taken again at any time; processes begin at different
 * ones. */
#define PORTS_FIRST 10000
#define PORTS 20000
#define PORTS_EACH 16

static bool find_binaries(struct postgres *postgres)
{
	glob_t found;
	bool ok = glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0 && found.gl_pathc > 0;
	if (ok)
		snprintf(postgres->binaries, sizeof(postgres->binaries), "%.*s",
			(int)(strlen(found.gl_pathv[found.gl_pathc - 1]) - strlen("/initdb")),
			found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	return ok;
}

/* As the server's user when the test is root. */
static pid_t spawn(const struct postgres *postgres, char *const *arguments)
{
	pid_t parent = getpid(), pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGQUIT);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	char log[POSTGRES_PATH_SIZE + 16];
	snprintf(log, sizeof(log), "%s/log", postgres->folder);
	int output = open(log, O_WRONLY | O_CREAT | O_APPEND, 0666);
	if (getppid() != parent || output < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
		_exit(126);
	if (geteuid() == 0 && (setgid(postgres->gid) != 0 || setuid(postgres->uid) != 0))
		_exit(126);
	if (chdir(postgres->folder) != 0)
		_exit(126);
	/* Changing the user drops the signal of the parent's death. */
	prctl(PR_SET_PDEATHSIG, SIGQUIT);
	setenv("LC_ALL", "C", 1);
	if (getenv("SHIPOPT_POSTGRES_PRELOAD"))
		setenv("LD_PRELOAD", getenv("SHIPOPT_POSTGRES_PRELOAD"), 1);
	execv(arguments[0], arguments);
	_exit(127);
}

static bool run(const struct postgres *postgres, char *const *arguments)
{
	int status = -1;
	pid_t pid = spawn(postgres, arguments);
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool is_free(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool is = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	if (fd >= 0)
		close(fd);
	return is;
}

int postgres_free_port(void)
{
	for (int i = 0; i < PORTS; i++) {
		int port = PORTS_FIRST + (int)(((unsigned)getpid() * PORTS_EACH + (unsigned)i) % PORTS);
		if (is_free(port))
			return port;
	}
	return 0;
}

static void copy_file(const struct postgres *postgres, const char *from, const char *name)
{
	char path[POSTGRES_PATH_SIZE + 32], bytes[8192];
	snprintf(path, sizeof(path), "%s/data/%s", postgres->folder, name);
	FILE *in = fopen(from, "rb"), *out = fopen(path, "wb");
	size_t length = in ? fread(bytes, 1, sizeof(bytes), in) : 0;
	if (out)
		fwrite(bytes, 1, length, out);
	if (in)
		fclose(in);
	if (out)
		fclose(out);
	if (chmod(path, 0600) != 0 || (geteuid() == 0 && chown(path, postgres->uid, postgres->gid) != 0))
		fprintf(stderr, "postgres: %s cannot be given to the server's user\n", path);
}

static bool write_file(const struct postgres *postgres, const char *name, const char *mode, const char *text)
{
	char path[POSTGRES_PATH_SIZE + 32];
	snprintf(path, sizeof(path), "%s/data/%s", postgres->folder, name);
	FILE *file = fopen(path, mode);
	bool ok = file && fputs(text, file) >= 0;
	return file && fclose(file) == 0 && ok;
}

static bool configure(struct postgres *postgres, const char *options)
{
	char text[2048];
	snprintf(text, sizeof(text),
		"listen_addresses = '127.0.0.1'\nport = %d\nunix_socket_directories = '%s'\nfsync = off\n"
		"max_connections = 60\nshared_buffers = 16MB\npassword_encryption = scram-sha-256\nssl = on\n"
		"log_min_messages = fatal\nmax_prepared_transactions = 4\nmax_wal_senders = 0\nwal_level = minimal\n%s\n",
		postgres->port, postgres->folder, options ? options : "");
	if (certificates_make(&postgres->certificates) != 0)
		return false;
	copy_file(postgres, postgres->certificates.good, "server.crt");
	copy_file(postgres, postgres->certificates.key, "server.key");
	return write_file(postgres, "postgresql.conf", "a", text) &&
		write_file(postgres, "pg_hba.conf", "w",
			"local all all trust\nhost all scram 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n");
}

static bool make_user(const struct postgres *postgres)
{
	PGconn *connection = PQconnectdb(postgres->conninfo);
	PGresult *result = PQexec(connection,
		"create role scram login password 'secret-word'; grant all on schema public to scram;");
	bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;
	PQclear(result);
	PQfinish(connection);
	return ok;
}

int postgres_begin(struct postgres *postgres)
{
	char program[POSTGRES_PATH_SIZE + 16], data[POSTGRES_PATH_SIZE + 16];
	snprintf(program, sizeof(program), "%s/postgres", postgres->binaries);
	snprintf(data, sizeof(data), "%s/data", postgres->folder);
	char *arguments[] = {program, (char[]){"-D"}, data, NULL};
	postgres->pid = spawn(postgres, arguments);
	for (int i = 0; i < START_TRIES && postgres->pid > 0; i++) {
		if (PQping(postgres->conninfo) == PQPING_OK)
			return 0;
		if (waitpid(postgres->pid, NULL, WNOHANG) == postgres->pid) {
			postgres->pid = 0;
			break;
		}
		poll(NULL, 0, 20); /* there is no event for "it accepts now" */
	}
	fprintf(stderr, "postgres: the server did not start; see %s/log\n", postgres->folder);
	return -1;
}

void postgres_end(struct postgres *postgres, int signal)
{
	if (postgres->pid <= 0)
		return;
	kill(postgres->pid, signal);
	waitpid(postgres->pid, NULL, 0);
	postgres->pid = 0;
}

int postgres_restart(struct postgres *postgres)
{
	postgres_end(postgres, SIGQUIT);
	return postgres_begin(postgres);
}

int postgres_start(struct postgres *postgres, const char *options)
{
	*postgres = (struct postgres){.uid = getuid(), .gid = getgid()};
	struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;
	if (!find_binaries(postgres) || (geteuid() == 0 && !user))
		return -1;
	if (user) {
		postgres->uid = user->pw_uid;
		postgres->gid = user->pw_gid;
	}
	snprintf(postgres->folder, sizeof(postgres->folder), "/tmp/shipopt-postgres-XXXXXX");
	if (!mkdtemp(postgres->folder) || (user && chown(postgres->folder, postgres->uid, postgres->gid) != 0))
		return -1;
	postgres->port = postgres_free_port();
	snprintf(postgres->conninfo, sizeof(postgres->conninfo), "host=%s port=%d user=postgres dbname=postgres",
		postgres->folder, postgres->port);
	snprintf(postgres->tcp, sizeof(postgres->tcp),
		"host=localhost hostaddr=127.0.0.1 port=%d user=scram dbname=postgres", postgres->port);
	char program[POSTGRES_PATH_SIZE + 16], data[POSTGRES_PATH_SIZE + 16];
	snprintf(program, sizeof(program), "%s/initdb", postgres->binaries);
	snprintf(data, sizeof(data), "%s/data", postgres->folder);
	char *arguments[] = {program, (char[]){"-D"}, data, (char[]){"-U"}, (char[]){"postgres"}, (char[]){"-A"},
		(char[]){"trust"}, (char[]){"-E"}, (char[]){"UTF8"}, (char[]){"--no-sync"}, NULL};
	if (run(postgres, arguments) && configure(postgres, options) && postgres_begin(postgres) == 0 &&
		make_user(postgres))
		return 0;
	postgres_stop(postgres);
	return -1;
}

void postgres_stop(struct postgres *postgres)
{
	char *arguments[] = {(char[]){"/bin/rm"}, (char[]){"-rf"}, postgres->folder, NULL};
	/* At once, since the data is thrown away: a server process that is asked to end politely while it starts can
	 * hang. */
	postgres_end(postgres, SIGQUIT);
	if (postgres->certificates.folder[0])
		certificates_remove(&postgres->certificates);
	if (strncmp(postgres->folder, "/tmp/shipopt-postgres-", 22) == 0) {
		pid_t pid = fork();
		if (pid == 0) {
			execv(arguments[0], arguments);
			_exit(127);
		}
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
	*postgres = (struct postgres){.pid = 0};
}
