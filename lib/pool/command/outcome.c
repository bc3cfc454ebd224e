/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE

#include "pool/command/outcome.h"

#include <string.h>

void outcome_fail(struct outcome *outcome, int status, shipopt_error *error)
{
	if (outcome->status < 0) {
		shipopt_error_unref(error);
		return;
	}
	outcome->status = status;
	outcome->error = error;
}

void outcome_reset(struct outcome *outcome)
{
	shipopt_error_unref(TAKE(outcome->error));
	*outcome = (struct outcome){.status = 0};
}

bool outcome_is_known(const struct outcome *outcome)
{
	return outcome->is_settled || outcome->is_refused;
}

int outcome_of_loss(const struct outcome *outcome)
{
	if (outcome_is_known(outcome))
		return outcome->status;
	if (outcome->may_commit)
		return SHIPOPT_EINDOUBT;
	return outcome->status < 0 ? outcome->status : SHIPOPT_ENETWORK;
}

bool outcome_can_commit(const struct shipopt_query *query, bool is_in_block)
{
	return (query->sql->marks & SQL_COMMITS) || (!is_in_block && !query->is_read_only);
}

/* The first letter tells most tags apart: this runs for every row of a stream. */
static bool outcome_has_tag(const PGresult *result, const char *wanted)
{
	const char *tag = PQcmdStatus((PGresult *)(uintptr_t)result);
	return tag[0] == wanted[0] && strcmp(tag, wanted) == 0;
}

bool outcome_is_commit(const PGresult *result)
{
	return outcome_has_tag(result, "COMMIT") || outcome_has_tag(result, "PREPARE TRANSACTION") ||
		outcome_has_tag(result, "COMMIT PREPARED");
}

bool outcome_is_rollback(unsigned marks, const PGresult *result)
{
	return outcome_has_tag(result, "ROLLBACK") && !(marks & SQL_ROLLS_BACK);
}

bool outcome_note_rollback(struct outcome *outcome, const struct shipopt_query *query, const PGresult *result)
{
	if (!outcome_is_rollback(query->sql->marks, result))
		return false;
	shipopt_error *error = NULL;
	error_set(&error, SHIPOPT_ESTATE,
		"the server rolled the transaction back, because a statement in it had failed");
	outcome_fail(outcome, SHIPOPT_ESTATE, error);
	return true;
}
