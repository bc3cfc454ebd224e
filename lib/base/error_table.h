/* SPDX-License-Identifier: MIT */
#ifndef BASE_ERROR_TABLE_H
#define BASE_ERROR_TABLE_H

/*
 * What each code means in each domain, and what a caller can do about it.
 *
 * A row is: domain, code, whether the same call may succeed when it is repeated, description, advice. The general rows
 * come first, one for each code, in the order of the codes. Their words must be true for every caller. A domain has a
 * row only for the codes about which it can say more; for the other codes its errors use the general row. Each row is
 * also a static error object, see error_of().
 *
 * A description has no capital and no period, because the message of an error stands in the same place. An advice is
 * one or two whole sentences.
 */
enum { ERROR_FINAL = 0, ERROR_RETRIABLE = 1 };

/* clang-format off */
#define ERROR_TABLE(XX) ERROR_TABLE_GENERAL(XX) ERROR_TABLE_INPUT(XX) ERROR_TABLE_CARRIER(XX) ERROR_TABLE_PURCHASE(XX) \
	ERROR_TABLE_STORAGE(XX) ERROR_TABLE_RUN(XX)

#define ERROR_TABLE_GENERAL(XX) \
	XX(GENERAL, OK, FINAL, "success", "Nothing to do.") \
	XX(GENERAL, EINVAL, FINAL, "invalid argument", "Correct the argument that the message names.") \
	XX(GENERAL, ENOMEM, RETRIABLE, "out of memory", "Free memory or lower the configured limits, then try again.") \
	XX(GENERAL, EAGAIN, RETRIABLE, "a queue is full", "Take completions, then try again.") \
	XX(GENERAL, ECANCELED, FINAL, "canceled", \
		"Check what was done before the end, then start it again if it is still wanted.") \
	XX(GENERAL, ETIMEDOUT, RETRIABLE, "timeout", "Try again, or raise the timeout.") \
	XX(GENERAL, EINDOUBT, FINAL, "outcome unknown", \
		"The request may have been carried out. Look it up before you repeat it.") \
	XX(GENERAL, EDEADLK, FINAL, "the thread would wait for itself", "Wait on a thread of the application.") \
	XX(GENERAL, EFORKED, FINAL, "the object belongs to the parent process", "Create new objects after fork().") \
	XX(GENERAL, ESHUTDOWN, FINAL, "the runtime is closed", "Create a new runtime.") \
	XX(GENERAL, ETYPE, FINAL, "wrong type", "Use the getter or setter for the type of the field.") \
	XX(GENERAL, ENOTFOUND, FINAL, "not found", "Check the name, number or id.") \
	XX(GENERAL, ECONFLICT, FINAL, "conflict with stored content", \
		"Compare what was given with what is stored.") \
	XX(GENERAL, ESTATE, FINAL, "not possible in this state", \
		"Check the order of the calls, or the state that the message names.") \
	XX(GENERAL, ETOOLARGE, FINAL, "size limit exceeded", \
		"Make the input smaller, or raise the limit that the message names.") \
	XX(GENERAL, EPARSE, FINAL, "malformed input", "Correct the place that the message names.") \
	XX(GENERAL, EENCODING, FINAL, "not UTF-8", "Convert the input to UTF-8.") \
	XX(GENERAL, EIO, FINAL, "input or output failed", \
		"Check the file, its permissions, the disk space and the limit of open files.") \
	XX(GENERAL, ECONNECT, RETRIABLE, "cannot connect", \
		"Nothing was sent. Check the address and the network, then try again.") \
	XX(GENERAL, ETLS, FINAL, "TLS handshake failed", \
		"Nothing was sent. Check the certificate, the host name and the CA file.") \
	XX(GENERAL, ENETWORK, RETRIABLE, "connection failed", "Try again.") \
	XX(GENERAL, EPROTOCOL, RETRIABLE, "invalid response", \
		"Check that the address belongs to the right service, then try again.") \
	XX(GENERAL, EAUTH, FINAL, "access denied", "Check the credentials and their permissions.") \
	XX(GENERAL, EPAYMENT, FINAL, "insufficient funds", "Add funds to the carrier account.") \
	XX(GENERAL, ERATELIMIT, RETRIABLE, "rate limited", "Try again later, or send fewer requests.") \
	XX(GENERAL, EREFUSED, FINAL, "request refused", "Correct what the message names.") \
	XX(GENERAL, ESERVER, RETRIABLE, "server error", "Try again later.") \
	XX(GENERAL, EUNAVAILABLE, RETRIABLE, "service unavailable", "Try again after the pause.") \
	XX(GENERAL, ELIMIT, FINAL, "spend limit or price ceiling exceeded", "Raise the limit that the message names.") \
	XX(GENERAL, EHELD, FINAL, "held for review", \
		"Correct the order (such as its max_rate) and run it again, or settle it with shipopt_ledger_resolve().") \
	XX(GENERAL, EBUSY, RETRIABLE, "in use elsewhere", "Try again when the other user has finished.") \
	XX(GENERAL, ENORATE, FINAL, "no suitable rate", \
		"Allow more services or carriers, or raise the price ceiling.") \
	XX(GENERAL, EDATABASE, FINAL, "database error", "Check the database, as the message says.") \
	XX(GENERAL, EUNSUPPORTED, FINAL, "not supported", \
		"Build the library with the missing part, or use another way.") \
	XX(GENERAL, EINTERNAL, FINAL, "internal error", "Report it as a bug in the library.")

/* What the caller wrote: settings, and the orders, columns and records that go in. */
#define ERROR_TABLE_INPUT(XX) \
	XX(CONFIG, EINVAL, FINAL, "invalid setting", "Correct the setting that the message names.") \
	XX(CONFIG, ETYPE, FINAL, "the setting has another type", "Set it with the text form, shipopt_…_config_set().") \
	XX(CONFIG, ENOTFOUND, FINAL, "no such setting", "Check the spelling of the setting.") \
	XX(CONFIG, EPARSE, FINAL, "malformed setting", "Correct the setting that the message names.") \
	XX(CONFIG, ESTATE, FINAL, "the settings contradict each other", "Correct the settings that the message names.") \
	XX(INPUT, EINVAL, FINAL, "invalid value", "Correct the field that the message names.") \
	XX(INPUT, EPARSE, FINAL, "malformed input", "Correct the line or field that the message names.") \
	XX(INPUT, ENOTFOUND, FINAL, "no such field", "Check the spelling of the field or column.") \
	XX(INPUT, EIO, FINAL, "cannot read or write the file", \
		"Check the path, the permissions and the disk space.")

#define ERROR_TABLE_CARRIER(XX) \
	XX(CARRIER, ECANCELED, FINAL, "canceled", \
		"The carrier changed nothing. Send the request again if it is still wanted.") \
	XX(CARRIER, EINDOUBT, FINAL, "the request was sent, its outcome is not known", \
		"The carrier may have carried it out. Look the object up before you send the request again.") \
	XX(CARRIER, ENOTFOUND, FINAL, "the carrier has no such object", \
		"Check the id. Test and production objects are separate.") \
	XX(CARRIER, ECONNECT, RETRIABLE, "cannot connect to the carrier", \
		"Nothing was sent. Check base_url and the network, then try again.") \
	XX(CARRIER, EPROTOCOL, RETRIABLE, "the response does not come from the carrier's API", \
		"Check that base_url is the address of the carrier's API, then try again.") \
	XX(CARRIER, EAUTH, FINAL, "the carrier refused the API key", "Check the API key and its permissions.") \
	XX(CARRIER, ERATELIMIT, RETRIABLE, "the carrier's rate limit is reached", \
		"Try again later, or lower concurrency_max or requests_per_second.") \
	XX(CARRIER, EREFUSED, FINAL, "the carrier refused the request", "Correct the fields that the carrier names.") \
	XX(CARRIER, ESERVER, RETRIABLE, "the carrier failed", "Try again later.") \
	XX(CARRIER, EUNAVAILABLE, RETRIABLE, "the carrier is unavailable", "Try again after the pause.") \
	XX(CARRIER, EBUSY, RETRIABLE, "the carrier still works on the object", "Try again later.")

#define ERROR_TABLE_PURCHASE(XX) \
	XX(PURCHASE, EINVAL, FINAL, "the order is not valid", "Correct the fields that the message names.") \
	XX(PURCHASE, ECANCELED, FINAL, "canceled, nothing was bought", \
		"Nothing was bought for this order. Run it again if it is still wanted.") \
	XX(PURCHASE, ETIMEDOUT, RETRIABLE, "the order was not finished in time", \
		"Nothing is in doubt. Run the order again, or raise item_timeout_ms.") \
	XX(PURCHASE, EINDOUBT, FINAL, "it is not known whether the label was bought", \
		"Run the same order again: it is looked up first and never bought twice. " \
		"If the message asks for a person, settle it with shipopt_ledger_resolve().") \
	XX(PURCHASE, ECONFLICT, FINAL, "the order differs from the one stored under its key", \
		"Compare the fields that the message names. Use another key for another order.") \
	XX(PURCHASE, EAUTH, FINAL, "the carrier refused the API key", "Check the API key and its permissions.") \
	XX(PURCHASE, EREFUSED, FINAL, "the carrier refused the order", \
		"Correct the fields that the carrier names, then run the order again. " \
		"If the message asks for a person, settle it with shipopt_ledger_resolve().") \
	XX(PURCHASE, ELIMIT, FINAL, "spend limit or price ceiling exceeded", \
		"Raise spend_limit or the order's max_rate, then run the order again.") \
	XX(PURCHASE, EHELD, FINAL, "the order is held for review", \
		"Correct the order (such as its max_rate) and run it again. " \
		"If the message asks for a person, settle it with shipopt_ledger_resolve().") \
	XX(PURCHASE, ESTATE, FINAL, "the label of the order was given back", \
		"Set the next generation (shipopt_order_set_generation()) to buy another label for the order.") \
	XX(PURCHASE, EBUSY, RETRIABLE, "another process works on the order", \
		"Run the order again when the other process has finished.")

/* The ledger's store, the PostgreSQL pool, and the cache. */
#define ERROR_TABLE_STORAGE(XX) \
	XX(STORE, ECANCELED, FINAL, "canceled", "The store changed nothing. Repeat the call if it is still wanted.") \
	XX(STORE, EINDOUBT, FINAL, "it is not known whether the store kept the change", \
		"Read the ledger before you repeat the change.") \
	XX(STORE, ECONFLICT, FINAL, "the store has other content", "Do what the message says.") \
	XX(STORE, ESTATE, FINAL, "the state of the row does not allow it", \
		"Read the row with shipopt_ledger_list() and do what the message says.") \
	XX(STORE, EBUSY, RETRIABLE, "a run works on the row", "Try again when the run has ended.") \
	XX(STORE, EDATABASE, RETRIABLE, "the store failed", \
		"Check the file of the store, its permissions and the disk space, then try again.") \
	XX(DATABASE, EINVAL, FINAL, "the server refused the statement", \
		"Correct the statement or its parameters, as the message says.") \
	XX(DATABASE, ECANCELED, FINAL, "the command was canceled", \
		"It changed nothing. Run it again if it is still wanted.") \
	XX(DATABASE, ETIMEDOUT, RETRIABLE, "the command or the wait for a connection took too long", \
		"Try again, or raise the timeout that the message names.") \
	XX(DATABASE, EINDOUBT, FINAL, "it is not known whether the transaction was committed", \
		"Read the rows that it changes before you run it again.") \
	XX(DATABASE, EDEADLK, FINAL, "every connection is held by a caller that waits for another one", \
		"Release a lease before you acquire another one, or raise max.") \
	XX(DATABASE, ENOTFOUND, FINAL, "the server has no such database", "Check the name of the database.") \
	XX(DATABASE, ETOOLARGE, FINAL, "size limit exceeded", \
		"Read a large result as a stream, or raise the limit that the message names.") \
	XX(DATABASE, ECONFLICT, FINAL, "a constraint of the database was violated", \
		"Read the SQLSTATE and the message. The stored rows do not allow this change.") \
	XX(DATABASE, ESTATE, FINAL, "the session does not allow the command", \
		"Check the state of the transaction, or whether the server is read-only.") \
	XX(DATABASE, ENETWORK, RETRIABLE, "the connection to the server was lost", \
		"Nothing of an open transaction was kept. Run it again.") \
	XX(DATABASE, EAUTH, FINAL, "the server denied access", \
		"Check the user, the password, the server's pg_hba.conf and the privileges of the role.") \
	XX(DATABASE, EBUSY, RETRIABLE, "the command conflicts with another transaction", \
		"Run the transaction again.") \
	XX(DATABASE, EDATABASE, FINAL, "the server reported an error", \
		"Read the SQLSTATE and the message of the server.") \
	XX(CACHE, ECANCELED, FINAL, "the load was canceled", "Load the key again if it is still wanted.") \
	XX(CACHE, ETIMEDOUT, RETRIABLE, "the load took too long", "Try again, or raise load_timeout_ms.") \
	XX(CACHE, EAGAIN, RETRIABLE, "too many loads or tags are in use", \
		"Try again when a load has ended, or raise loads_max or tags_max.") \
	XX(CACHE, ETOOLARGE, FINAL, "the entry is larger than value_max_bytes", \
		"Store a smaller value, or raise value_max_bytes.") \
	XX(CACHE, EDEADLK, FINAL, "the call would wait for itself", "Make the call on another thread.") \
	XX(CACHE, EPARSE, FINAL, "not a complete cache file", "Save the cache again; start with an empty one until then.") \
	XX(CACHE, EUNSUPPORTED, FINAL, "a cache file of another version", \
		"Save the cache again with this version of the library.")

#define ERROR_TABLE_RUN(XX) \
	XX(RUN, ECANCELED, FINAL, "the run was canceled", \
		"Run the same source again to go on. What is finished is not repeated.") \
	XX(RUN, ETIMEDOUT, RETRIABLE, "the run took too long", \
		"Run the same source again to go on. What is finished is not repeated.") \
	XX(RUN, EIO, FINAL, "cannot read the orders or write the results", \
		"Check the file and the disk space, then run the same source again.") \
	XX(RUN, ECONNECT, RETRIABLE, "cannot connect to the carrier", \
		"Check base_url and the network, then run the same source again.") \
	XX(RUN, EAUTH, FINAL, "the carrier refused the API key", \
		"Check the API key and its permissions, then run the same source again.") \
	XX(RUN, EPAYMENT, FINAL, "insufficient funds", \
		"Add funds to the carrier account, then run the same source again.") \
	XX(RUN, ELIMIT, FINAL, "spend limit exceeded", "Raise spend_limit, then run the same source again.")
/* clang-format on */

#endif
