/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_CARRIER_H
#define SHIPOPT_CARRIER_H

#include <shipopt/cache.h>
#include <shipopt/op.h>
#include <shipopt/queue.h>
#include <shipopt/record.h>
#include <shipopt/runtime.h>
#include <shipopt/settings.h>

SHIPOPT_BEGIN_DECLS

/*
 * Clients of a carrier API.
 *
 * A client sends calls to one base URL with one API key. It limits the rate of its requests, retries what is safe to
 * retry, and stops for a while when the carrier fails. The EasyPost API is supported. The paths, bodies and codes are
 * those of its public documentation and of recorded exchanges with it.
 *
 * The rules of this head hold for every call below. All of this header since 0.1 except where another version is named.
 *
 * Calls
 *
 * Every call is asynchronous, as <shipopt/op.h> describes. Any thread may call, and many calls may run at once. The
 * library copies strings and records that are passed in. The setting deliver_inline and
 * shipopt_carrier_config_set_queue() choose the thread of the callback. By default it is a scheduler thread.
 *
 * A finished call has these results:
 *
 *   shipopt_op_status()      0, or a code of <shipopt/error.h>
 *   shipopt_op_record()      the object, for the calls that name a result
 *   shipopt_op_json()        the whole answer as text
 *   shipopt_op_value()       the HTTP status; 0 if no answer came
 *   shipopt_op_is_cached()   1 if the answer came from the cache
 *   shipopt_op_error()       of a failed call: message, advice, HTTP status, the carrier's code, field errors, request
 *                            id, Retry-After
 *
 * A wrong argument, such as an empty id, completes the operation with SHIPOPT_EINVAL. Its error names the argument, the
 * value and the bound. The calls themselves return only these errors:
 *
 *   SHIPOPT_EINVAL      `carrier` is NULL. Or an argument is wrong, and there is no `done`, queue or `ret_op` to report
 *                       it to
 *   SHIPOPT_EAGAIN      queue_max calls wait already, or the queue has no free slot
 *   SHIPOPT_ENOMEM, SHIPOPT_ESHUTDOWN, SHIPOPT_EFORKED
 *
 * Admission, retries and pauses
 *
 * A call waits until the client may send it. The client keeps to the limits of requests per second and of requests in
 * flight. It adapts the second limit to HTTP 429 and to overload. It pauses a class of endpoints for as long as the
 * carrier asks (Retry-After). After too many failures its circuit breaker opens: for breaker_open_ms nothing is sent,
 * and then a few requests try whether the carrier has recovered.
 *
 * The client retries a call after a failure of the network or the server if a repeat is safe. Each call below says
 * whether it is. A call that is not safe to repeat is retried only if the carrier certainly did no work: nothing was
 * sent, or the answer was HTTP 429. Redirects are not followed.
 *
 * A call fails at once with SHIPOPT_EUNAVAILABLE while the circuit breaker is open. It fails at once with
 * SHIPOPT_ERATELIMIT or SHIPOPT_EUNAVAILABLE if the carrier asks for a longer pause than the call may wait. The error
 * then has the length of the pause.
 *
 * Time limits
 *
 * timeout_ms limits one HTTP request. A call may send several. With the defaults, a call to a silent server ends after
 * four requests and about four minutes. call_timeout_ms limits the whole call, with its waits, requests and retries. A
 * call that spends money is the exception: once it is sent, it is waited for until timeout_ms, because its outcome
 * matters.
 *
 * Cancel, and lost answers
 *
 * shipopt_op_cancel() ends a call early. SHIPOPT_ECANCELED means that the carrier changed nothing: nothing was sent, or
 * the call only reads. A write that was sent and canceled ends with SHIPOPT_EINDOUBT. So does a write that is not safe
 * to repeat and whose answer was lost. The advice of the error then says what to do for this call.
 *
 * Log
 *
 * With a log function in the runtime, a client writes these lines, which begin with "carrier: ":
 *
 *   SHIPOPT_LOG_WARNING   connect failures, lost answers, HTTP 429, failures of the server, answers that are not the
 *                         API's, retries that wait for 1 s or more, changes of the circuit breaker
 *   SHIPOPT_LOG_INFO      other retries
 *   SHIPOPT_LOG_DEBUG     one line for each request: method, path, result, time, request id
 *
 * Each kind of a WARNING or INFO line is written at most once per second. The next line of the kind says how many were
 * left out. The setting trace adds the headers of every request and answer at SHIPOPT_LOG_DEBUG. Since 0.2.
 *
 * Secrets
 *
 * The API key and the proxy's password appear in no message, log line, result or store, even if a server repeats them.
 * The library searches every answer for them and overwrites them with asterisks. It finds them as plain text, escaped
 * as in JSON or a URL, and encoded as in "Authorization: Basic". It does not search for a key or password of less than
 * 8 bytes, because ids and amounts could contain it.
 */
typedef struct shipopt_carrier shipopt_carrier;
typedef struct shipopt_carrier_config shipopt_carrier_config;

/*
 * Settings, as in <shipopt/settings.h>; environment SHIPOPT_CARRIER_….
 *
 * Account
 *
 *   api_key              the API key: 1 to 512 bytes of visible ASCII. Required. Secret
 *   base_url             the address of the API, with its version and without a query; default
 *                        "https://api.easypost.com/v2"
 *   account              name of the carrier account in the purchase ledger. Keep it when the key changes. In one store
 *                        an account belongs to one tenant; default "default"
 *   mode                 test or production; part of the ledger's key. Default: as the API key says (EZTK…, EZAK…).
 *                        Required for a key that does not say it
 *
 * Time limits
 *
 *   timeout_ms           one HTTP request, without its wait for admission; default 60,000; 1 to 600,000
 *   call_timeout_ms      one call, with all its waits, requests and retries; default 0: no limit. Runs and purchases
 *                        have item_timeout_ms instead. Since 0.2
 *   connect_timeout_ms   connecting, TLS included; default 10,000; 1 to 600,000
 *   queue_timeout_ms     one wait for admission; default 600,000; 0: no limit
 *
 * Limits
 *
 *   queue_max            calls that wait for admission; default 4,096; 1 to 1,048,576
 *   response_max_bytes   size of an answer; default 8,388,608
 *   concurrency_max      requests in flight; default 64; 1 to 4,096
 *   concurrency_min      lower bound of the adaptive limit; default 1
 *   concurrency_start    initial value of the adaptive limit; default 16
 *   adaptive             1 (default): the limit of requests in flight adapts. 0: it is always concurrency_max
 *   list_per_second      requests per second to list endpoints; default 5, which is the API's own limit; 0: no limit
 *   requests_per_second  requests per second to each other class of endpoints; default 0: no limit
 *
 * Retries
 *
 *   attempts_max         attempts of one call, the first one included; default 4; 1 to 100
 *   retry_base_ms        base of the delay before a retry, which is random, from 0 to base × 2^n; default 100
 *   retry_cap_ms         upper bound of that delay; default 10,000
 *   retry_budget         retries that all calls together may spend before the carrier answers again; default 500
 *   breaker_open_ms      how long the circuit breaker stays open; default 10,000
 *   breaker_window       recent requests that the circuit breaker counts. It opens if half of them failed; default 100
 *
 * Purchases
 *
 *   settle_ms            how long to wait after sending a purchase before "no postage" counts as proof that nothing was
 *                        bought; default 120,000; 0 to 3,600,000. At least 1.2 × timeout_ms for purchases through the
 *                        ledger. The ledger keeps the largest value under which the shipment was sent, and uses that
 *                        one even if the setting changes
 *
 * Cache
 *
 *   cache_ttl_ms         how long an answer is used; default 60,000; 0 to 86,400,000; 0: answers are not cached
 *   tracker_ttl_ms       the same for reads of trackers; default 30,000
 *   quote_ttl_ms         the same for shipopt_carrier_shipment_quote(); default 300,000. A quote that lacks a carrier,
 *                        because that carrier failed to rate, is used for a tenth of it
 *
 * Connections
 *
 *   ca_file              PEM file with certificate authorities; default: SSL_CERT_FILE, then libcurl's own, then the
 *                        usual places
 *   proxy                [scheme://][user:password@]host[:port]; default: no proxy. The scheme is http (the default),
 *                        https, socks4, socks4a, socks5 or socks5h. Percent-encode "@", "/", "?", "#" and "%" in user
 *                        and password. The environment variables for proxies are not read. Secret
 *
 * Program
 *
 *   deliver_inline       1: call back on the event loop instead of a scheduler thread. The callbacks must be short and
 *                        never block. Not together with a queue; default 0
 *   trace                1: log the headers of each request and answer, for debugging. Credentials and cookies are
 *                        replaced by asterisks. Bodies are not logged, only their sizes; default 0. Since 0.2
 */
SHIPOPT_API int shipopt_carrier_config_new(shipopt_carrier_config **ret_config);
SHIPOPT_API void shipopt_carrier_config_free(shipopt_carrier_config *config);
SHIPOPT_API int shipopt_carrier_config_set(shipopt_carrier_config *config, const char *name, const char *text);
SHIPOPT_API int shipopt_carrier_config_set_int(shipopt_carrier_config *config, const char *name, int64_t number);
SHIPOPT_API int shipopt_carrier_config_from_env(shipopt_carrier_config *config);
SHIPOPT_API const shipopt_error *shipopt_carrier_config_error(const shipopt_carrier_config *config);

/* Delivers completions to a queue. NULL delivers them to scheduler threads. The configuration and the client each keep
 * a reference to the queue. SHIPOPT_EINVAL: `config` is NULL. */
SHIPOPT_API int shipopt_carrier_config_set_queue(shipopt_carrier_config *config, shipopt_queue *queue);

/*
 * Sets the cache for answers. NULL, the default, is no cache. The configuration and the client each keep a reference to
 * the cache. Several clients may share a cache. The application may store other entries in it. SHIPOPT_EINVAL: `config`
 * is NULL.
 *
 *	shipopt_cache_new(NULL, &cache, NULL);
 *	shipopt_carrier_config_set_cache(config, cache);
 *	shipopt_carrier_config_set_int(config, SHIPOPT_CARRIER_TRACKER_TTL_MS, 30000);
 *
 * With a cache, a read (GET) with a recent answer is answered without a request. If several calls ask for the same at
 * once, one request is sent, and all of them get its answer. shipopt_carrier_tracker_create() is treated like a read:
 * the same code and carrier name within tracker_ttl_ms give the cached answer. So is shipopt_carrier_shipment_quote().
 *
 * A call that the cache answers costs about 15 µs of processor time, because the answer is parsed into a record again.
 * If another thread delivers the completion, and the caller waits for it, it takes about 40 µs.
 *
 * What is cached: the body of a whole answer with HTTP status 200. Also that an object does not exist, for the cache's
 * not_found_ttl_ms or until a write to its collection. Such a call fails with SHIPOPT_ENOTFOUND and the carrier's code,
 * without the carrier's message and request id. Other failures are not cached. A shipment without postage is never
 * cached. Paths with empty or dot segments are not cached.
 *
 * Purchases never use cached answers: neither the ledger nor runs nor shipopt_bulk_purchase() read the cache. If a
 * decision of the application depends on a read being current, set cache to "refresh" for that call.
 *
 * A failure goes to all calls that wait for the request. The exception is a failure of the sending call alone: it was
 * canceled, its own time limit was shorter, or it ran out of memory. Then another waiting call sends the request. A
 * call waits for another call's answer at most for its own timeout_ms. With a soft time to live, callers get the stale
 * answer while one call refreshes it.
 *
 * Before a write completes, the client removes the cached answers about its object and the lists of its collection. If
 * the write may have changed more (an order, a batch, a refund, an unknown outcome), it removes all answers of the
 * account. That holds for every client with the same cache. Changes by others show when the time to live ends. A
 * webhook can remove them at once: call shipopt_cache_remove_tag() with the tag of the object, such as
 * "trackers/trk_…". Other tags are those of lists ("trackers") and "quotes".
 *
 * Accounts never share an answer, nor do test and production. The cache does not contain the API key. The removal
 * callback of the cache may run on threads of the library.
 */
SHIPOPT_API int shipopt_carrier_config_set_cache(shipopt_carrier_config *config, shipopt_cache *cache);

/*
 * Creates a client. It sends nothing. `config` is copied. The caller owns *ret_carrier and releases it with
 * shipopt_carrier_free(). On failure *ret_error, if not NULL, is an error that the caller unrefs. SHIPOPT_EINVAL: an
 * argument is NULL, or a setting is missing or wrong. SHIPOPT_EPARSE: base_url is not a URL. SHIPOPT_ETLS: no file with
 * certificate authorities was found. SHIPOPT_EUNSUPPORTED: libcurl is too old. SHIPOPT_EIO: no event loop could be
 * started. SHIPOPT_ENOMEM, SHIPOPT_ESHUTDOWN, SHIPOPT_EFORKED, and the first error of the configuration.
 */
SHIPOPT_API int shipopt_carrier_new(shipopt_runtime *runtime, const shipopt_carrier_config *config,
	shipopt_carrier **ret_carrier, shipopt_error **ret_error);

/* Drops the caller's reference. Never blocks. Calls that run go on to their end. Accepts NULL. Any thread. */
SHIPOPT_API void shipopt_carrier_free(shipopt_carrier *carrier);

/*
 * Settings of one raw call, as in <shipopt/settings.h>; environment SHIPOPT_CALL_…. They replace those of the client.
 *
 *   timeout_ms        one HTTP request; default 0: as the client
 *   call_timeout_ms   the whole call; default 0: as the client
 *   api_key           default: as the client. Secret
 *   base_url          default: as the client
 *   cache             use (default): look into the cache first. refresh: send a request and cache its answer. none:
 *                     neither look into the cache nor change it. Without a cache all three are the same
 *
 * One configuration may be used for many calls, also at once. A call copies what it needs. If a setting was refused,
 * every call with the configuration fails with that error. Since 0.2.
 */
typedef struct shipopt_call_config shipopt_call_config;
SHIPOPT_API int shipopt_call_config_new(shipopt_call_config **ret_config);
SHIPOPT_API void shipopt_call_config_free(shipopt_call_config *config);
SHIPOPT_API int shipopt_call_config_set(shipopt_call_config *config, const char *name, const char *text);
SHIPOPT_API int shipopt_call_config_set_int(shipopt_call_config *config, const char *name, int64_t number);
SHIPOPT_API int shipopt_call_config_from_env(shipopt_call_config *config);
SHIPOPT_API const shipopt_error *shipopt_call_config_error(const shipopt_call_config *config);

/*
 * Sends any call of the API.
 *
 *   method   GET, POST, PUT, PATCH or DELETE, in capital letters
 *   path     begins with "/" and is appended to base_url; may have a query; at most 4,096 bytes, percent-encoded
 *   json     the body, which is sent as it is, at most 4 MiB; NULL: no body, as required for GET
 *   config   settings of this call; NULL: those of the client
 *
 * The answer is in shipopt_op_json(). A GET is safe to repeat. The other methods are not.
 *
 * A raw call can SPEND MONEY, and then neither the ledger nor spend_limit protects it. Use shipopt_bulk_purchase() or a
 * run to buy. A call that spends money is sent once, never again, and is waited for once it is sent. These calls count
 * as spending:
 *
 *   path   has the segment buy, create_and_buy, luma, insure, insurances or charges
 *   body   has a `service` or an `insurance` in its shipment, order or batch: POST /shipments with a service buys a
 *          label at once
 *   body   is not JSON
 */
SHIPOPT_API int shipopt_carrier_call(shipopt_carrier *carrier, const char *method, const char *path, const char *json,
	const shipopt_call_config *config, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);

/*
 * Creates a shipment and its rates: POST /shipments. Costs nothing. Result: shipment.
 *
 * The library retries only what certainly was not done. After SHIPOPT_EINDOUBT the application may call again: at worst
 * this leaves a second, unpaid shipment.
 *
 * Fields that only the carrier sets (ids, rates, states) are not sent. SHIPOPT_SHIPMENT_INSURANCE is not sent either,
 * because insurance is bought with the label. A shipment with SHIPOPT_SHIPMENT_SERVICE or _CARRIER is refused with
 * SHIPOPT_EINVAL, because the carrier would buy a label at once.
 */
SHIPOPT_API int shipopt_carrier_shipment_create(shipopt_carrier *carrier, const shipopt_record *shipment,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op);

/*
 * Gets rates to show, not to buy: POST /shipments without the reference. Result: shipment with rates and messages only.
 *
 * The request leaves an unused, unpaid shipment at the carrier. It is safe to repeat. The result has no ids, because it
 * may be the answer to another call. To buy, create a shipment, which gets new rates, and compare the prices, as
 * shipopt_bulk_purchase() and runs do. Service, carrier and insurance are treated as by
 * shipopt_carrier_shipment_create().
 *
 * With a cache, two shipments share a quote if everything that decides the price is equal: addresses, parcel, customs,
 * options and carrier accounts. Their order and notation do not matter. Reference, names, e-mail addresses and options
 * that are only printed do not count.
 */
SHIPOPT_API int shipopt_carrier_shipment_quote(shipopt_carrier *carrier, const shipopt_record *shipment,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op);

/*
 * Buys a label: POST /shipments/{id}/buy. Result: shipment.
 *
 * SPENDS MONEY, and neither the ledger nor spend_limit protects the call. Use shipopt_bulk_purchase() or a run instead.
 * The request is sent once, never again. SHIPOPT_EINDOUBT means that the label may have been bought: retrieve the
 * shipment before anything else. `insurance` is an amount in millionths, -1 for none.
 */
SHIPOPT_API int shipopt_carrier_shipment_buy(shipopt_carrier *carrier, const char *shipment_id, const char *rate_id,
	int64_t insurance, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);

/*
 * Reads a shipment: GET /shipments/{id}. Safe to repeat. Result: shipment.
 *
 * The calls that name a shipment or tracker check that the answer is about that object. If it is not, the call fails
 * with SHIPOPT_EPROTOCOL, or with SHIPOPT_EINDOUBT if it is not safe to repeat. The message has both ids. The object
 * may be named by its id, its reference or its tracking code, as far as the carrier allows it.
 */
SHIPOPT_API int shipopt_carrier_shipment_retrieve(shipopt_carrier *carrier, const char *shipment_id,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op);

/* Gets new rates for a shipment: POST /shipments/{id}/rerate. Safe to repeat. Result: shipment. */
SHIPOPT_API int shipopt_carrier_shipment_rerate(shipopt_carrier *carrier, const char *shipment_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);

/* Requests a refund of the label: POST /shipments/{id}/refund. Not safe to repeat. After SHIPOPT_EINDOUBT retrieve the
 * shipment: its refund_status says whether the refund was requested. Result: shipment. */
SHIPOPT_API int shipopt_carrier_shipment_refund(shipopt_carrier *carrier, const char *shipment_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);

/* Creates a tracker for a tracking code: POST /trackers. Safe to repeat, because the same code gives the same tracker.
 * `carrier_name`, such as "USPS", may be NULL. With a cache see shipopt_carrier_config_set_cache(). Result: tracker. */
SHIPOPT_API int shipopt_carrier_tracker_create(shipopt_carrier *carrier, const char *tracking_code,
	const char *carrier_name, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);

/* Reads a tracker: GET /trackers/{id}. Safe to repeat. Result: tracker. */
SHIPOPT_API int shipopt_carrier_tracker_retrieve(shipopt_carrier *carrier, const char *tracker_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);

enum {                           /* how shipopt_carrier_address_create() verifies */
	SHIPOPT_VERIFY_NONE = 0, /* not at all */
	SHIPOPT_VERIFY_SOFT =
		1, /* a failed verification is success; the record has the result, SHIPOPT_ADDRESS_VERIFICATIONS */
	SHIPOPT_VERIFY_STRICT = 2 /* a failed verification is SHIPOPT_EREFUSED */
};

/* Creates an address: POST /addresses. Safe to repeat: at worst this leaves a second copy. `verify` is one of the list
 * above. Result: address. */
SHIPOPT_API int shipopt_carrier_address_create(shipopt_carrier *carrier, const shipopt_record *address, int verify,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op);

/* Verifies a stored address: GET /addresses/{id}/verify. Safe to repeat. Result: address, as the carrier corrected
 * it. */
SHIPOPT_API int shipopt_carrier_address_verify(shipopt_carrier *carrier, const char *address_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);

enum {                                               /* numbers of a client */
	SHIPOPT_CARRIER_STAT_REQUESTS = 1,           /* requests sent, retries included */
	SHIPOPT_CARRIER_STAT_RETRIES = 2,            /* how many of them repeated one that had failed */
	SHIPOPT_CARRIER_STAT_RATE_LIMITED = 3,       /* answers with HTTP 429 */
	SHIPOPT_CARRIER_STAT_LIMIT = 4,              /* requests that may be in flight now */
	SHIPOPT_CARRIER_STAT_ON_WIRE = 5,            /* requests in flight now */
	SHIPOPT_CARRIER_STAT_WAITING = 6,            /* calls that wait for admission now */
	SHIPOPT_CARRIER_STAT_BREAKER_OPENED = 7,     /* how often the circuit breaker opened */
	SHIPOPT_CARRIER_STAT_CONNECTIONS_OPENED = 8, /* connections opened */
	SHIPOPT_CARRIER_STAT_CERTIFICATE_CACHE =
		9,                        /* 0: libcurl caches the certificate authorities. 1: the library does */
	SHIPOPT_CARRIER_STAT_ANSWERS = 10 /* answers from base_url, with any HTTP status; since 0.2 */
};

/* Reads one number of the list above. Any thread; never blocks. SHIPOPT_EINVAL: an argument is NULL, or there is no
 * such number. SHIPOPT_EFORKED. */
SHIPOPT_API int shipopt_carrier_stat(shipopt_carrier *carrier, int stat, int64_t *ret_value);

SHIPOPT_END_DECLS

#endif
