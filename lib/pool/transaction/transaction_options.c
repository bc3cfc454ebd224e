/* SPDX-License-Identifier: MIT */
#include "pool/transaction/transaction_options.h"

#include <string.h>

#include "base/memory.h"
#include "pool/query/batch.h"

#define ATTEMPTS_DEFAULT 10
#define ATTEMPTS_MAX 100
#define TIMEOUT_MAX_MS 86400000

void transaction_options_init(struct shipopt_transaction_options *options)
{
	memset(options, 0, sizeof(*options));
	options->attempts = ATTEMPTS_DEFAULT;
	options->timeout_ms = -1;
}

int shipopt_transaction_options_new(shipopt_transaction_options **ret_options)
{
	shipopt_transaction_options *options = ret_options ? mem_alloc(sizeof(*options)) : NULL;
	if (!options)
		return ret_options ? SHIPOPT_ENOMEM : SHIPOPT_EINVAL;
	transaction_options_init(options);
	*ret_options = options;
	return 0;
}

void shipopt_transaction_options_free(shipopt_transaction_options *options)
{
	mem_free(options);
}

int shipopt_transaction_options_set_flags(shipopt_transaction_options *options, int flags)
{
	char text[128];
	if (!options || !transaction_begin_sql(flags, text, sizeof(text)))
		return SHIPOPT_EINVAL;
	options->flags = flags;
	return 0;
}

int shipopt_transaction_options_set_attempts(shipopt_transaction_options *options, int attempts)
{
	if (!options || attempts < 1 || attempts > ATTEMPTS_MAX)
		return SHIPOPT_EINVAL;
	options->attempts = attempts;
	return 0;
}

int shipopt_transaction_options_set_timeout_ms(shipopt_transaction_options *options, int64_t timeout_ms)
{
	if (!options || timeout_ms < -1 || timeout_ms > TIMEOUT_MAX_MS)
		return SHIPOPT_EINVAL;
	options->timeout_ms = timeout_ms;
	return 0;
}

int shipopt_transaction_options_set_owner(shipopt_transaction_options *options, const char *name, uint64_t owner)
{
	if (!options)
		return SHIPOPT_EINVAL;
	lease_copy_name(options->name, name);
	options->owner = owner;
	return 0;
}
