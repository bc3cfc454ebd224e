/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_STATEMENTS_H
#define STORE_SQLITE_STATEMENTS_H

/*
 * Every SQL text that the store runs repeatedly, in one table (statements.c). Values are bound, never spliced.
 *
 * All transitions share their first parameters. ?1 is the row id. ?2 is the fencing token and ?3 the state that the row
 * must still have (the compare of the compare-and-set). ?4 says whether to give the lease up (1 or 0). ?5 is the lease
 * to set in ms, 0 to keep it. Their own parameters start at ?6. All return the row as it is afterwards, in the order of
 * enum row_column.
 */
enum statement {
	/* transactions */
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_SETTLE,
	/* finding a row: key in ?1 … ?7, generation in ?8; by id: ?1 tenant, ?2 id; by shipment: ?1 provider, ?2
	 * account, ?3 mode, ?4 shipment id, ?5 the id of a row that is not meant */
	SQL_FIND,
	SQL_FIND_NEWEST,
	SQL_FIND_ID,
	SQL_FIND_SHIPMENT,
	SQL_READ,
	/* an account: ?1 provider, ?2 account, ?3 mode, ?4 tenant */
	SQL_ACCOUNT_OWNER,
	SQL_ACCOUNT_ADD,
	SQL_GUESSED,
	/* claims */
	SQL_INSERT,
	SQL_LEASE,
	/* transitions */
	SQL_PLAN,
	SQL_CREATE,
	SQL_BUY,
	SQL_PROVE,
	SQL_DOUBT,
	SQL_BOUGHT,
	SQL_FAIL,
	SQL_HOLD,
	SQL_UNHOLD,
	SQL_REPLAN,
	SQL_UNBUY,
	SQL_CONFIRM,
	SQL_RENEW,
	SQL_DOCUMENT,
	SQL_VOID,
	/* budgets: ?1 tenant, ?2 name, ?3 currency */
	SQL_BUDGET_READ,
	SQL_BUDGET_WRITE,
	SQL_AUDIT,
	/* pages: ?1 tenant, ?2 after, ?3 limit, ?4 state; …_PERSON: the rows that need a person */
	SQL_LIST,
	SQL_LIST_STATE,
	SQL_LIST_PERSON,
	SQL_COUNT,
	SQL_COUNT_STATE,
	SQL_COUNT_PERSON,
	STATEMENT_COUNT
};

enum row_column {
	ROW_ID,
	ROW_GENERATION,
	ROW_STATE,
	ROW_FINGERPRINT,
	ROW_REQUEST,
	ROW_SHIPMENT_ID,
	ROW_RATE_ID,
	ROW_CARRIER,
	ROW_SERVICE,
	ROW_CURRENCY,
	ROW_AMOUNT,
	ROW_CEILING,
	ROW_BUYING_AT,
	ROW_FIRST_BUYING_AT,
	ROW_ATTEMPTS,
	ROW_TRACKING_CODE,
	ROW_LABEL_URL,
	ROW_PAID,
	ROW_BUDGET,
	ROW_REASON,
	ROW_LEASE_UNTIL,
	ROW_NOW,
	ROW_RESULT,
	ROW_TOKEN,
	ROW_SENT,
	ROW_UNPROVEN,
	ROW_SETTLE,
	ROW_EXISTS_SEEN,
	ROW_NEEDS_PERSON,
	ROW_REFUSAL,
	ROW_BASE_URL,
	ROW_APPROVED,
	ROW_APPROVED_CURRENCY,
	ROW_INSURANCE,
	ROW_FEE,
	ROW_RATE_CHOICE
};

/* What the rules need to know of a row. */
enum find_column {
	FIND_ID,
	FIND_GENERATION,
	FIND_STATE,
	FIND_TOKEN,
	FIND_LEASE_UNTIL,
	FIND_NOW,
	FIND_HELD_FROM,
	FIND_SENT,
	FIND_SHIPMENT_ID,
	FIND_AMOUNT,
	FIND_CURRENCY,
	FIND_BUDGET,
	FIND_RESERVED,
	FIND_UNPROVEN,
	FIND_EXISTS_SEEN,
	FIND_NEEDS_PERSON,
	FIND_FEE
};

extern const char *const statement_texts[STATEMENT_COUNT];

#endif
