/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_CARRIER_H
#define SHIPOPT_CARRIER_H

#include <shipopt/cache.h>
#include <shipopt/op.h>
#include <shipopt/queue.h>
#include <shipopt/record.h>
#include <shipopt/runtime.h>

SHIPOPT_BEGIN_DECLS

/*
 * A client of a carrier API: one provider, one base URL, one credential, one lane.
 *
 * Calls may be made from any thread, as many at once as the lane's queue holds (setting queue_max). What is sent when is
 * the lane's business: it keeps to rate limits, adapts its concurrency to 429 answers and overload, pauses for
 * Retry-After, stops for a while when the carrier fails (circuit breaker) and repeats what is safe to repeat. A call that
 * cannot wait as long as the carrier asks ends at once, as SHIPOPT_ERATELIMIT or SHIPOPT_EUNAVAILABLE, and says how long that is.
 * Redirects are never followed.
 *
 * Completions arrive as the handle's `delivery` says. Results: shipopt_op_record() for typed calls, shipopt_op_json() (the
 * whole answer, also for typed calls), shipopt_op_value() is the HTTP status. Failures: the codes of <shipopt/error.h>, the
 * detail in shipopt_op_error(): HTTP status, the carrier's code, field errors, retry-after, request id.
 *
 * Common errors of the calls themselves: SHIPOPT_EINVAL, SHIPOPT_ENOMEM, SHIPOPT_EAGAIN (no queue slot, or queue_max
 * calls wait), SHIPOPT_ESHUTDOWN, SHIPOPT_EFORKED. Strings and records passed in are copied. All of this since 0.1.
 *
 * Answers can be kept: with a cache set in the configuration, a read (GET) whose answer was had a short time
 * ago is answered from there, without a request, and of many that ask for the same at once one is sent; a GET
 * is then a look-up of some microseconds. Off by default.
 *
 *	shipopt_cache_new(NULL, &cache, NULL);
 *	shipopt_carrier_config_set_cache(config, cache);
 *	shipopt_carrier_config_set_tracker_ttl_ms(config, 30000);
 *	…
 *	shipopt_tracker_retrieve(carrier, id, on_tracker, NULL, NULL);   in on_tracker: shipopt_op_is_cached(op)
 *
 * What is kept is the body of a whole, good answer (HTTP 200), and for the cache's negative_ttl_ms, or until a
 * write to its collection, that there is no such object; the failure is then SHIPOPT_ENOTFOUND with the carrier's code,
 * but without its words and request id. Paths with empty or dot segments are left out. Another failure is
 * never kept; it is told to all who waited for that very request, but for what is one call's own affair (its
 * cancel, its shorter timeout_ms, no memory): then another one sends. A call that waits for another's answer
 * does so for its timeout_ms at most. If the cache has a soft time to live, a stale answer is handed out while
 * one call refreshes it.
 *
 * Never kept is the state of a shipment without postage, and the ledger, bulk runs and shipopt_purchase() never
 * look into the cache at all: no purchase is decided by an answer that was kept. Whoever decides something by a
 * read of his own, of a list, say, which is kept, asks for it with SHIPOPT_CALL_CACHE_REFRESH. Polling for
 * changes sees them up to tracker_ttl_ms late; 0 there leaves trackers out.
 *
 * A write through any client with the same cache that may have reached the carrier makes the answers about that
 * object and the lists of its collection dead before the write's own completion, all of the account's where it
 * cannot be told what else was changed (an order, a batch, a refund, an outcome that is not known). What
 * changes at the carrier's end shows when the time to live is over, or after shipopt_cache_remove_tag() with
 * the object's tag, "trackers/trk_…", as on a webhook's event; other tags are those of lists, "trackers", and
 * "quotes". Accounts, test and production never share an answer; the key is not in the cache.
 *
 * Wire facts are from the public EasyPost API and recorded exchanges with it.
 */
typedef struct shipopt_carrier shipopt_carrier;
typedef struct shipopt_carrier_config shipopt_carrier_config;

/*
 * Settings, as in <shipopt/runtime.h>; environment SHIPOPT_CARRIER_….
 *
 *   api_key              the credential; required, 1 to 512 bytes of visible ASCII; secret
 *   base_url             with the version, without query; default "https://api.easypost.com/v2"
 *   account              names the carrier account in the purchase ledger, so that a new key is the same account; default
 *                        "default"
 *   mode                 test or production: which books the ledger keeps purchases in. Default: as the API key says (EZTK…,
 *                        EZAK…); required for a key that does not say it
 *   timeout_ms           whole call, waiting for admission included not; default 60,000, 1 to 600,000
 *   connect_timeout_ms   default 10,000, 1 to 600,000
 *   queue_timeout_ms     longest wait for admission; default 600,000; 0: without end
 *   queue_max            calls waiting for admission; default 4,096, 1 to 1,048,576
 *   response_max_bytes   default 8,388,608
 *   concurrency_max      most requests on the wire; default 64, 1 to 4,096
 *   concurrency_min      floor of the adaptive limit; default 1
 *   concurrency_start    where the adaptive limit starts; default 16
 *   adaptive             1: the limit adapts (default); 0: it is concurrency_max
 *   list_per_second      requests per second to list endpoints; default 5 (the API's own limit); 0: no limit
 *   requests_per_second  to all other endpoints together by class; default 0: no limit
 *   attempts_max         tries of one call, the first included; default 4, 1 to 100
 *   retry_base_ms        default 100; retry_cap_ms default 10,000: full jitter between 0 and min(cap, base × 2^n)
 *   retry_budget         tokens; default 500
 *   breaker_open_ms      default 10,000; breaker_window default 100 outcomes
 *   settle_ms            how long after a purchase was sent "no postage" proves nothing; default 120,000, 0 to 3,600,000; for
 *                        purchases through the ledger at least 1.2 × timeout_ms
 *   cache_ttl_ms         with a cache: how long an answer is good; default 60,000, 0 (not kept) to 86,400,000
 *   tracker_ttl_ms       the same for reads of trackers; default 30,000
 *   quote_ttl_ms         the same for shipopt_shipment_quote(); default 300,000, a tenth of it if a carrier failed to rate
 *   ca_file              PEM bundle; default: SSL_CERT_FILE, libcurl's own, then the usual places
 *   proxy                [scheme://][user:password@]host[:port] with http (the default), https, socks4, socks4a, socks5 or
 *                        socks5h; "@", "/", "?", "#" and "%" of user and password percent-encoded; default none; the
 *                        environment is not read; secret
 *
 * A secret is in no message, log line, result or store, also where a server or proxy repeats it: whatever comes back is searched
 * for the key and the proxy's password, literal or escaped as in JSON and URLs, and for both as in "Authorization: Basic", and
 * asterisks are written over them. A key or password below 8 bytes is not looked for, as ids and amounts could contain it.
 */
SHIPOPT_API int shipopt_carrier_config_new(shipopt_carrier_config **ret_config);
SHIPOPT_API void shipopt_carrier_config_free(shipopt_carrier_config *config);
SHIPOPT_API int shipopt_carrier_config_set(shipopt_carrier_config *config, const char *name, const char *value);
SHIPOPT_API int shipopt_carrier_config_from_env(shipopt_carrier_config *config);
SHIPOPT_API const shipopt_error *shipopt_carrier_config_error(const shipopt_carrier_config *config);
SHIPOPT_API int shipopt_carrier_config_set_api_key(shipopt_carrier_config *config, const char *key);
SHIPOPT_API int shipopt_carrier_config_set_base_url(shipopt_carrier_config *config, const char *url);
SHIPOPT_API int shipopt_carrier_config_set_account(shipopt_carrier_config *config, const char *account);
SHIPOPT_API int shipopt_carrier_config_set_mode(shipopt_carrier_config *config, const char *mode);
SHIPOPT_API int shipopt_carrier_config_set_timeout_ms(shipopt_carrier_config *config, int64_t value);
SHIPOPT_API int shipopt_carrier_config_set_connect_timeout_ms(shipopt_carrier_config *config, int64_t value);
SHIPOPT_API int shipopt_carrier_config_set_queue_timeout_ms(shipopt_carrier_config *config, int64_t value);
SHIPOPT_API int shipopt_carrier_config_set_queue_max(shipopt_carrier_config *config, int64_t value);
SHIPOPT_API int shipopt_carrier_config_set_response_max_bytes(shipopt_carrier_config *config, int64_t value);
SHIPOPT_API int shipopt_carrier_config_set_concurrency_max(shipopt_carrier_config *config, int64_t value);
SHIPOPT_API int shipopt_carrier_config_set_concurrency_min(shipopt_carrier_config *config, int64_t value);
SHIPOPT_API int shipopt_carrier_config_set_concurrency_start(shipopt_carrier_config *config, int64_t value);
SHIPOPT_API int shipopt_carrier_config_set_adaptive(shipopt_carrier_config *config, int64_t value);
SHIPOPT_API int shipopt_carrier_config_set_attempts_max(shipopt_carrier_config *config, int64_t value);
SHIPOPT_API int shipopt_carrier_config_set_settle_ms(shipopt_carrier_config *config, int64_t value);
SHIPOPT_API int shipopt_carrier_config_set_cache_ttl_ms(shipopt_carrier_config *config, int64_t value);
SHIPOPT_API int shipopt_carrier_config_set_tracker_ttl_ms(shipopt_carrier_config *config, int64_t value);
SHIPOPT_API int shipopt_carrier_config_set_quote_ttl_ms(shipopt_carrier_config *config, int64_t value);
SHIPOPT_API int shipopt_carrier_config_set_ca_file(shipopt_carrier_config *config, const char *path);
/* Where completions go: SHIPOPT_DELIVERY_…; a queue for SHIPOPT_DELIVERY_QUEUE (a reference is kept by the handle). */
SHIPOPT_API int shipopt_carrier_config_set_delivery(shipopt_carrier_config *config, int delivery);
SHIPOPT_API int shipopt_carrier_config_set_queue(shipopt_carrier_config *config, shipopt_queue *queue);

/* Where answers are kept; NULL: nowhere. Clients, and the host's own keys, may share a cache. Configuration and client each keep a
 * reference. The cache's removal listener then may be called on threads of the library. */
SHIPOPT_API int shipopt_carrier_config_set_cache(shipopt_carrier_config *config, shipopt_cache *cache);

/* Makes a client; `config` is copied. Nothing is sent yet. SHIPOPT_EINVAL names the setting that is missing or wrong,
 * SHIPOPT_ETLS if no certificate bundle is found. *ret_error may be NULL, and is the caller's to unref. */
SHIPOPT_API int shipopt_carrier_new(shipopt_runtime *runtime, const shipopt_carrier_config *config,
	shipopt_carrier **ret_carrier, shipopt_error **ret_error);
/* Drops the caller's reference; never blocks; running calls go on. Accepts NULL. */
SHIPOPT_API void shipopt_carrier_free(shipopt_carrier *carrier);

/* Options of one raw call: what differs from the client's. Opaque, reusable; freed with _free. 0 and NULL restore the
 * client's value. Since 0.1. */
typedef struct shipopt_call_options shipopt_call_options;
SHIPOPT_API int shipopt_call_options_new(shipopt_call_options **ret_options);
SHIPOPT_API void shipopt_call_options_free(shipopt_call_options *options);
SHIPOPT_API int shipopt_call_options_set_timeout_ms(shipopt_call_options *options, int64_t timeout_ms);
SHIPOPT_API int shipopt_call_options_set_api_key(shipopt_call_options *options, const char *key);
SHIPOPT_API int shipopt_call_options_set_base_url(shipopt_call_options *options, const char *url);
/* What a read does with the cache: USE looks there first (the default); REFRESH asks the carrier, whatever was kept, and keeps
 * the answer; NONE neither looks there nor keeps it. Without a cache they are the same. */
enum { SHIPOPT_CALL_CACHE_USE = 0, SHIPOPT_CALL_CACHE_REFRESH = 1, SHIPOPT_CALL_CACHE_NONE = 2 };
SHIPOPT_API int shipopt_call_options_set_cache(shipopt_call_options *options, int mode);

/*
 * Any call of the API. `method`: GET, POST, PUT, PATCH, DELETE; `path` begins with "/" and is relative to the base URL,
 * query included; `json` is the body (sent as it is) or NULL; `options` may be NULL. GET is repeated on failure; POST, PATCH, PUT and DELETE only
 * when it is certain that the server did no work (429, nothing sent); when what they did is not known they end as
 * SHIPOPT_EINDOUBT. The answer is in shipopt_op_json().
 *
 * A call that spends money is never sent a second time, whatever its failure, and is waited for once it is sent. Those are all but
 * GET with "buy", "create_and_buy", "luma", "insure", "insurances" or "charges" as a part of the path, or with a `service` or an
 * `insurance` in the shipment, order or batch of the body: POST /shipments with a service buys the label at once. They are
 * UNGUARDED: the ledger and the spend limit know nothing of them; use shipopt_purchase() or a bulk run. A body that is no JSON
 * is taken for one that spends.
 */
SHIPOPT_API int shipopt_carrier_call(shipopt_carrier *carrier, const char *method, const char *path, const char *json,
	const shipopt_call_options *options, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);

/*
 * POST /shipments: makes a shipment and its rates; costs nothing. After SHIPOPT_EINDOUBT a repeat is harmless: at worst it leaves
 * a second, unpaid shipment. Sent is what asks for the shipment, without what the carrier made of an earlier one. A shipment
 * with SHIPOPT_SHIPMENT_SERVICE or _CARRIER would be bought by it: the operation then completes with SHIPOPT_EINVAL, which names
 * the field, and nothing is sent. SHIPOPT_SHIPMENT_INSURANCE is not sent, as it is bought with the label: give it to
 * shipopt_shipment_buy(). Result: shipment.
 */
SHIPOPT_API int shipopt_shipment_create(shipopt_carrier *carrier, const shipopt_record *shipment, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);
/*
 * What a shipment would cost: rates to show, not to buy. With a cache, quotes are kept by what is asked:
 * addresses, parcel, customs, options, carrier accounts, in whatever order and notation; reference, the wording
 * of names and e-mail addresses, and options that are only printed do not count. Sent as POST /shipments
 * without the reference, which makes a shipment at the carrier that nobody uses and costs nothing; repeated
 * like a read. Service, carrier and insurance as in shipopt_shipment_create(). Result: shipment with rates and messages only. As it may be another's answer it has no ids: to
 * buy, create a shipment of its own, which rates it anew, and compare prices (shipopt_purchase() and bulk runs
 * do).
 */
SHIPOPT_API int shipopt_shipment_quote(shipopt_carrier *carrier, const shipopt_record *shipment, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);
/*
 * POST /shipments/{id}/buy: SPENDS MONEY and is unguarded: use shipopt_purchase() or a bulk run, which keep a ledger. Never
 * sent again by itself; SHIPOPT_EINDOUBT means it may have bought: retrieve the shipment before anything else.
 * `insurance` in millionths, -1: none. Result: shipment.
 */
SHIPOPT_API int shipopt_shipment_buy(shipopt_carrier *carrier, const char *shipment_id, const char *rate_id,
	int64_t insurance, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
/*
 * GET /shipments/{id}. Result: shipment.
 *
 * Here and in the other calls that name a shipment or tracker, an answer about another object is no answer: SHIPOPT_EPROTOCOL, or
 * SHIPOPT_EINDOUBT from the calls that are not repeated (buy, refund); the message has both ids. The object may be named by its id,
 * its reference or its tracking code.
 */
SHIPOPT_API int shipopt_shipment_retrieve(shipopt_carrier *carrier, const char *shipment_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);
/* POST /shipments/{id}/rerate: new rates. Safe to repeat, and repeated. Result: shipment. */
SHIPOPT_API int shipopt_shipment_rerate(shipopt_carrier *carrier, const char *shipment_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);
/* POST /shipments/{id}/refund: asks for the money back. Result: shipment with refund_status. */
SHIPOPT_API int shipopt_shipment_refund(shipopt_carrier *carrier, const char *shipment_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);
/* POST /trackers (creating the same code again gives the same tracker, so it is repeated) and GET /trackers/{id}. `carrier_name`
 * may be NULL. Result: tracker. */
SHIPOPT_API int shipopt_tracker_create(shipopt_carrier *carrier, const char *tracking_code, const char *carrier_name,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
SHIPOPT_API int shipopt_tracker_retrieve(shipopt_carrier *carrier, const char *tracker_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);
/*
 * POST /addresses and GET /addresses/{id}/verify. `verify`: SHIPOPT_VERIFY_NONE; _SOFT: a failed verification is still success,
 * its result stands in the record (SHIPOPT_ADDRESS_VERIFICATIONS); _STRICT: it is SHIPOPT_EREFUSED. Result: address.
 */
enum { SHIPOPT_VERIFY_NONE = 0, SHIPOPT_VERIFY_SOFT = 1, SHIPOPT_VERIFY_STRICT = 2 };
SHIPOPT_API int shipopt_address_create(shipopt_carrier *carrier, const shipopt_record *address, int verify,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
SHIPOPT_API int shipopt_address_verify(shipopt_carrier *carrier, const char *address_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);

/* Counters and gauges of the client, read without stopping it; SHIPOPT_EINVAL for an unknown one. */
enum {
	SHIPOPT_CARRIER_STAT_REQUESTS = 1,       /* sent, retries included */
	SHIPOPT_CARRIER_STAT_RETRIES = 2,
	SHIPOPT_CARRIER_STAT_RATE_LIMITED = 3,   /* answers 429 */
	SHIPOPT_CARRIER_STAT_LIMIT = 4,          /* requests allowed on the wire now */
	SHIPOPT_CARRIER_STAT_ON_WIRE = 5,
	SHIPOPT_CARRIER_STAT_WAITING = 6,        /* for admission */
	SHIPOPT_CARRIER_STAT_BREAKER_OPENED = 7, /* times */
	SHIPOPT_CARRIER_STAT_CONNECTIONS_OPENED = 8,
	SHIPOPT_CARRIER_STAT_CERTIFICATE_CACHE = 9 /* 0: libcurl's own store cache works, 1: the library shares a store */
};
SHIPOPT_API int shipopt_carrier_stat(shipopt_carrier *carrier, int stat, int64_t *ret_value);

SHIPOPT_END_DECLS

#endif
