/* SPDX-License-Identifier: MIT */
#include "bulk/run_blame.h"

#include <string.h>

#include "base/hash.h"
#include "base/text.h"
#include "purchase/item.h"

void run_blame_success(struct run_blame *blame)
{
	blame->count = 0;
}

static bool run_blame_is_counted(const struct run_blame *blame, uint64_t order)
{
	for (unsigned i = 0; i < blame->count; i++)
		if (blame->orders[i] == order)
			return true;
	return false;
}

bool run_blame_failure(struct run_blame *blame, const shipopt_order *order, enum blame whose, int status,
	bool has_api_answered)
{
	if (whose == BLAME_CONFIGURATION && !has_api_answered)
		return true;
	if (whose != BLAME_ACCOUNT && whose != BLAME_CONFIGURATION)
		return false;
	/* Pieces of one order are not different orders. */
	uint64_t hash = text_is_empty(order->key) ? order->index : hash_bytes(order->key, strlen(order->key), 0);
	if (blame->status != status)
		blame->count = 0;
	blame->status = status;
	if (!run_blame_is_counted(blame, hash))
		blame->orders[blame->count++] = hash;
	if (blame->count < RUN_BLAME_ORDERS)
		return false;
	blame->count = 0;
	return true;
}
