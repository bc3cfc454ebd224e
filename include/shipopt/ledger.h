/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_LEDGER_H
#define SHIPOPT_LEDGER_H

#include <shipopt/store.h>

SHIPOPT_BEGIN_DECLS

/*
 * The purchase ledger: one row for each label that a run was asked to buy.
 *
 * A row belongs to a key: provider, account, mode, order key, piece, purpose and generation. A run claims the row
 * before it works on the order, and writes into it before it spends money. So an order that is run again is found, and
 * its label is not bought twice. Runs write rows. The functions of this header read them, and settle rows that only a
 * person can settle.
 *
 *   planned ───> created ───> buying ───> bought ───> documented ───> void requested ───> voided
 *                   ^          │ ^           ^                              │ ^
 *                   │          v │           │                              v │
 *                   └──────── in doubt ──────┘                          void refused
 *
 *   planned          The row exists. Nothing was rated.
 *   created          The carrier has a shipment with a rate. The next run that buys sends the purchase.
 *   buying           A purchase was sent or is about to be sent.
 *   in doubt         A purchase was sent and its outcome is not known. The next run looks the shipment up.
 *   bought           The label exists. Its tracking code, price and label URL are in the row.
 *   documented       The label exists, and its document was kept.
 *   failed           It is proven that nothing was bought. The next run starts again with a new shipment.
 *   held             The order waits: for a correction of the order, or for a person.
 *   void requested   A refund of the label was requested.
 *   voided           The carrier accepted the refund.
 *   void refused     The carrier refused the refund.
 *
 * buying goes back to created when it is proven that the purchase bought nothing. planned and created can become held,
 * and go back when the order was corrected. planned, created and buying can become failed.
 *
 * A purchase is unproven until it is known whether it bought a label. While a purchase of the row's shipment is
 * unproven, the row never gets another shipment, and it never becomes failed or held. A shipment is sent at most three
 * times. After that, and after a refusal that proves nothing, a person must look at the carrier's records: the row is
 * marked, and shipopt_ledger_resolve() settles it.
 *
 * All functions are asynchronous: `done`, `userdata` and `ret_op` are as in <shipopt/op.h>, and completions are
 * delivered as the store's configuration says. They see the rows of the store handle's tenant only. A wrong argument
 * fails the operation with SHIPOPT_EINVAL or SHIPOPT_EENCODING, and the error names the argument, its value and its
 * bounds. Other errors of all operations here: SHIPOPT_EDATABASE, SHIPOPT_ECANCELED, SHIPOPT_ENOMEM. Since 0.1 unless
 * a comment says otherwise.
 */
enum {
	SHIPOPT_LEDGER_STATE_PLANNED = 1,
	SHIPOPT_LEDGER_STATE_CREATED = 2,
	SHIPOPT_LEDGER_STATE_BUYING = 3,
	SHIPOPT_LEDGER_STATE_IN_DOUBT = 4,
	SHIPOPT_LEDGER_STATE_BOUGHT = 5,
	SHIPOPT_LEDGER_STATE_DOCUMENTED = 6,
	SHIPOPT_LEDGER_STATE_FAILED = 7,
	SHIPOPT_LEDGER_STATE_HELD = 8,
	SHIPOPT_LEDGER_STATE_VOID_REQUESTED = 9,
	SHIPOPT_LEDGER_STATE_VOIDED = 10,
	SHIPOPT_LEDGER_STATE_VOID_REFUSED = 11,
	/* Not a state. In shipopt_ledger_list() and shipopt_ledger_count(): the rows of any state that a person must
	 * settle. These are the marked rows, and the rows whose shipment has a label at the carrier that no look-up
	 * shows. */
	SHIPOPT_LEDGER_NEEDS_PERSON = 100
};

/* Returns the name of a state as in the list above, such as "in doubt"; "unknown" for other numbers. Static text. */
SHIPOPT_API const char *shipopt_ledger_state_name(int state);

/*
 * Reads a page of rows, in the order of their ids.
 *
 * `state` is a state, SHIPOPT_LEDGER_NEEDS_PERSON, or 0 for all rows. `after` is the id of the last row of the page
 * before, 0 for the first page. `limit` is the most rows to read, 1 to 1,000. A page ends early after a row with which
 * its texts pass 4 MiB; it has at least one row if there is one.
 *
 * Results: shipopt_op_ledger_page() is the page. shipopt_op_value() is its number of rows. shipopt_op_json() is the
 * same page as text: {"rows":[{…},…],"has_more":true}. The members of a row have the names of the fields below in lower
 * case ("order_key"). Amounts are texts ("5.65"), flags are true or false, "state" is the state's name, and an empty
 * field is null.
 */
SHIPOPT_API int shipopt_ledger_list(shipopt_store *store, int state, int64_t after, int64_t limit, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);

/* Counts the rows in `state`, which is as above. shipopt_op_value() is their number. */
SHIPOPT_API int shipopt_ledger_count(shipopt_store *store, int state, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op);

/* The rows that shipopt_ledger_list() has read. Immutable, and readable from any thread. Since 0.2. */
typedef struct shipopt_ledger_page shipopt_ledger_page;

/*
 * The fields of a row. (text): read with shipopt_ledger_page_text(). (number), (flag: 0 or 1) and (amount: millionths
 * of the currency): read with shipopt_ledger_page_number(). Times are Unix times in milliseconds by the clock of the
 * computer that wrote the row. Since 0.2.
 */
enum {
	SHIPOPT_LEDGER_FIELD_ROW = 0,          /* (number) id of the row */
	SHIPOPT_LEDGER_FIELD_ORDER_KEY = 1,    /* (text) */
	SHIPOPT_LEDGER_FIELD_PIECE = 2,        /* (number) from 1 */
	SHIPOPT_LEDGER_FIELD_PURPOSE = 3,      /* (text) outbound, return or replacement */
	SHIPOPT_LEDGER_FIELD_GENERATION = 4,   /* (number) from 1, see shipopt_order_set_generation() */
	SHIPOPT_LEDGER_FIELD_STATE = 5,        /* (number) SHIPOPT_LEDGER_STATE_…; (text) its name */
	SHIPOPT_LEDGER_FIELD_PROVIDER = 6,     /* (text) the carrier API, such as "easypost" */
	SHIPOPT_LEDGER_FIELD_ACCOUNT = 7,      /* (text) carrier setting account */
	SHIPOPT_LEDGER_FIELD_MODE = 8,         /* (text) test or production */
	SHIPOPT_LEDGER_FIELD_MODE_GUESSED = 9, /* (flag) an earlier version guessed it: store setting confirm_mode */
	SHIPOPT_LEDGER_FIELD_BASE_URL = 10,    /* (text) base URL of the carrier that has the shipment */
	SHIPOPT_LEDGER_FIELD_SHIPMENT_ID = 11, /* (text) */
	SHIPOPT_LEDGER_FIELD_CARRIER = 12,     /* (text) the chosen carrier */
	SHIPOPT_LEDGER_FIELD_SERVICE = 13,     /* (text) the chosen service */
	SHIPOPT_LEDGER_FIELD_AMOUNT = 14,      /* (amount) price of the chosen rate */
	SHIPOPT_LEDGER_FIELD_CURRENCY = 15,    /* (text) of amount and paid */
	SHIPOPT_LEDGER_FIELD_INSURANCE = 16,   /* (amount) insured value */
	SHIPOPT_LEDGER_FIELD_FEE = 17,         /* (amount) what the insurance costs */
	SHIPOPT_LEDGER_FIELD_APPROVED = 18,    /* (amount) the price that was approved */
	SHIPOPT_LEDGER_FIELD_APPROVED_CURRENCY = 19, /* (text) of approved and ceiling */
	SHIPOPT_LEDGER_FIELD_CEILING = 20,           /* (amount) the highest price that may be paid */
	SHIPOPT_LEDGER_FIELD_ATTEMPTS = 21,          /* (number) purchases sent, of all shipments of the row */
	SHIPOPT_LEDGER_FIELD_SENT = 22,              /* (number) purchases sent of this shipment */
	SHIPOPT_LEDGER_FIELD_UNPROVEN = 23,          /* (number) of these, how many may have bought a label */
	SHIPOPT_LEDGER_FIELD_BUYING_AT_MS = 24,      /* (number) when the newest purchase was sent; 0: never */
	SHIPOPT_LEDGER_FIELD_EXISTS_SEEN = 25,       /* (flag) the carrier said that the shipment has a label */
	SHIPOPT_LEDGER_FIELD_NEEDS_PERSON = 26,      /* (flag) the row is one of SHIPOPT_LEDGER_NEEDS_PERSON */
	SHIPOPT_LEDGER_FIELD_REASON = 27,            /* (text) why it failed, is held or in doubt; a note on a label */
	SHIPOPT_LEDGER_FIELD_REFUSAL = 28,           /* (text) the carrier's words, where its refusal proves nothing */
	SHIPOPT_LEDGER_FIELD_TRACKING_CODE = 29,     /* (text) of the label */
	SHIPOPT_LEDGER_FIELD_LABEL_URL = 30,         /* (text) */
	SHIPOPT_LEDGER_FIELD_PAID = 31,              /* (amount) what the carrier charged; 0: not known */
	SHIPOPT_LEDGER_FIELD_UPDATED_AT_MS = 32      /* (number) when the row was last changed */
};

/*
 * Returns the page of a finished shipopt_ledger_list(). It belongs to the operation and lives as long as a reference
 * to it. NULL for an operation that runs, that failed, or that is not a list. Since 0.2.
 *
 *	const shipopt_ledger_page *page = shipopt_op_ledger_page(op);
 *	for (size_t i = 0; i < shipopt_ledger_page_count(page); i++)
 *		printf("%s %s\n", shipopt_ledger_page_text(page, i, SHIPOPT_LEDGER_FIELD_ORDER_KEY),
 *			shipopt_ledger_page_text(page, i, SHIPOPT_LEDGER_FIELD_STATE));
 *	if (shipopt_ledger_page_has_more(page))
 *		after = shipopt_ledger_page_number(page, shipopt_ledger_page_count(page) - 1, SHIPOPT_LEDGER_FIELD_ROW);
 */
SHIPOPT_API const shipopt_ledger_page *shipopt_op_ledger_page(const shipopt_op *op);

/*
 * Getters. count: the number of rows. has_more: 1 if rows follow the page, else 0. text and number: a field of the row
 * at `index`, which counts from 0. A text is NULL where the row has none, and where the field is a number. A number
 * is 0 where the row has none, and where the field is a text. An index or field out of range gives NULL or 0, as does
 * NULL for the page. Since 0.2.
 */
SHIPOPT_API size_t shipopt_ledger_page_count(const shipopt_ledger_page *page);
SHIPOPT_API int shipopt_ledger_page_has_more(const shipopt_ledger_page *page);
SHIPOPT_API const char *shipopt_ledger_page_text(const shipopt_ledger_page *page, size_t index, int field);
SHIPOPT_API int64_t shipopt_ledger_page_number(const shipopt_ledger_page *page, size_t index, int field);

/*
 * Settles a row for a person who has looked at the carrier's own records.
 *
 * `row` is the id of the row. `state` is what the person found or wants:
 *
 *   SHIPOPT_LEDGER_STATE_BOUGHT    There is a label. `tracking_code` is its tracking code.
 *   SHIPOPT_LEDGER_STATE_FAILED    Nothing was bought.
 *   SHIPOPT_LEDGER_STATE_PLANNED   Buy the order again, with a new shipment.
 *
 * `tracking_code` is NULL unless `state` is BOUGHT. `actor` says who settles the row, and `reason` why: 1 to 4,096
 * bytes each, as for the tracking code. Both are kept in the table `audit` of the store, with the old and the new
 * state. `reason` also becomes the row's reason, except for PLANNED.
 *
 *   state     rows that it settles                               they become
 *   BOUGHT    buying, in doubt, held, failed                     bought
 *             created, with an unproven purchase                 bought
 *             planned and created, if marked                     bought
 *             bought and the states after it, if marked          the same, without the mark
 *   FAILED    buying, in doubt                                   created, see below
 *             held                                               failed
 *             planned and created, if marked                     failed
 *             failed, if marked                                  the same, without the mark
 *   PLANNED   held, failed                                       planned, without a shipment
 *             planned and created, if marked                     planned, without a shipment
 *
 * A marked row is one whose SHIPOPT_LEDGER_FIELD_NEEDS_PERSON is 1. Settling removes the mark. planned and created rows
 * are only marked if an earlier version of the library wrote them; nothing of these was sent.
 *
 * BOUGHT counts the price of the rate and the fee of the insurance as spent, unless the row was bought already. If the
 * tracking code differs from the row's, the label of the row is replaced.
 *
 * FAILED of a row that is buying or in doubt keeps the shipment, because a carrier can still carry out a purchase after
 * a person has looked. The row becomes created, gives its reservation back, and keeps one unproven purchase. The next
 * run looks the shipment up and then sends it again. It never buys another shipment for the order; for that, use
 * shipopt_order_set_generation().
 *
 * Result: shipopt_op_value() is the new state. Errors: SHIPOPT_ENOTFOUND (no such row), SHIPOPT_ESTATE (the state of
 * the row does not allow it; the error names it), SHIPOPT_EBUSY (a run works on the row: its lease is live. A lease
 * that ends more than a day ahead comes from a wrong clock and does not count).
 */
SHIPOPT_API int shipopt_ledger_resolve(shipopt_store *store, int64_t row, int state, const char *tracking_code,
	const char *actor, const char *reason, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);

SHIPOPT_END_DECLS

#endif
