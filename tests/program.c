/* SPDX-License-Identifier: MIT */
#include "program.h"

#include "cmocka_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "store_fixture.h"

void program_init(struct program *program)
{
	program->output[0] = '\0';
	folder_make(program->folder, sizeof(program->folder));
}

void program_done(struct program *program)
{
	folder_remove(program->folder);
}

int program_shell(struct program *program, const char *command)
{
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	size_t length = fread(program->output, 1, sizeof(program->output) - 1, pipe);
	program->output[length] = '\0';
	int status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int program_buy(struct program *program, const char *orders, const char *arguments)
{
	char command[2048];
	const char *folder = program->folder;
	snprintf(command, sizeof(command),
		"exec '%s' --orders '%s%s%s' --store 'sqlite:%s/ship.db' --out '%s/labels.csv' %s 2>&1",
		getenv("SHIPOPT_BUY_LABELS"), *orders == '/' ? "" : folder, *orders == '/' ? "" : "/", orders, folder,
		folder, arguments);
	return program_shell(program, command);
}

void program_write(const struct program *program, const char *name, const char *content)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", program->folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

void program_assert_says(const struct program *program, const char *text)
{
	if (!strstr(program->output, text))
		fail_msg("\"%s\" is not in:\n%s", text, program->output);
}

int64_t program_count_lines(const struct program *program, const char *name, const char *part)
{
	char path[256], *line = NULL;
	size_t size = 0;
	int64_t count = 0;
	snprintf(path, sizeof(path), "%s/%s", program->folder, name);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	while (getline(&line, &size, file) >= 0)
		count += strstr(line, part) != NULL;
	free(line);
	fclose(file);
	return count;
}
