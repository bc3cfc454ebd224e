/* SPDX-License-Identifier: MIT */
#ifndef POOL_TRANSACTION_TRANSACTION_OPTIONS_H
#define POOL_TRANSACTION_TRANSACTION_OPTIONS_H

#include "pool/connection/lease.h"

/* How a transaction runs. The calls copy it. */
struct shipopt_transaction_options {
	int flags, attempts;
	int64_t timeout_ms; /* -1: the pool's */
	uint64_t owner;
	char name[LEASE_NAME_SIZE];
};

void transaction_options_init(struct shipopt_transaction_options *options);

#endif
