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
 * Calls may be made from any thread, as many at once as the lane's queue holds (setting queue_max). The lane decides when each
 * is sent: it keeps to rate limits, adapts its concurrency to 429 answers and overload, pauses for Retry-After, stops for a
 * while when the carrier fails (circuit breaker), and repeats what is safe to repeat. If the carrier asks for a longer pause
 * (Retry-After) than the call may wait, the call ends at once with SHIPOPT_ERATELIMIT or SHIPOPT_EUNAVAILABLE; its error has the
 * length of the pause. Redirects are never followed.
 *
 * Completions arrive as the handle's `delivery` says. Results: shipopt_op_record() for typed calls, shipopt_op_json() (the
 * whole answer, also for typed calls), shipopt_op_value() is the HTTP status. Failures: the codes of <shipopt/error.h>, the
 * detail in shipopt_op_error(): HTTP status, the carrier's code, field errors, retry-after, request id.
 *
 * Common errors of the calls themselves: SHIPOPT_EINVAL, SHIPOPT_ENOMEM, SHIPOPT_EAGAIN (no queue slot, or queue_max
 * calls wait), SHIPOPT_ESHUTDOWN, SHIPOPT_EFORKED. Strings and records passed in are copied. All of this since 0.1.
 *
 * Answers can be cached: with a cache in the configuration, a read (GET) with a recent answer is answered from the cache in a
 * few microseconds, without a request. If several calls ask for the same at once, one is sent. Off by default.
 *
 *	shipopt_cache_new(NULL, &cache, NULL);
 *	shipopt_carrier_config_set_cache(config, cache);
 *	shipopt_carrier_config_set_int(config, SHIPOPT_CARRIER_TRACKER_TTL_MS, 30000);
 *	…
 *	shipopt_carrier_tracker_retrieve(carrier, id, on_tracker, NULL, NULL);   in on_tracker: shipopt_op_is_cached(op)
 *
 * The cache keeps the body of a whole successful answer (HTTP 200). It also keeps that an object does not exist, for the cache's
 * negative_ttl_ms or until a write to its collection; such a call fails with SHIPOPT_ENOTFOUND and the carrier's code, but without
 * the carrier's message and request id. Paths with empty or dot segments are not cached. Other failures are never kept. They go
 * to every call that waited for that request, except failures of the sending call alone (it was canceled, its timeout_ms was
 * shorter, out of memory): then another of the waiting calls sends. A call waits for another call's answer for its timeout_ms at
 * most. If the cache has a soft time to live, a stale answer is handed out while one call refreshes it.
 *
 * A shipment without postage is never kept, and the ledger, bulk runs and shipopt_bulk_purchase() never use the cache, so that no
 * purchase depends on a cached answer. If a program bases a decision on a read of its own, such as a list, it must read with
 * SHIPOPT_CALL_CACHE_REFRESH. Polling sees changes up to tracker_ttl_ms late; 0 excludes trackers from the cache.
 *
 * A write that may have reached the carrier, through any client with the same cache, removes the answers about that object and
 * the lists of its collection before the write completes. If it may have changed more (an order, a batch, a refund, an unknown
 * outcome), all answers of the account are removed. Changes by others show when the time to live is over, or after
 * shipopt_cache_remove_tag() with the object's tag, such as "trackers/trk_…" on a webhook's event; the other tags are those of
 * lists ("trackers") and "quotes". Accounts, test and production never share an answer; the key is not in the cache.
 *
 * Wire facts are from the public EasyPost API and recorded exchanges with it.
 */
typedef struct shipopt_carrier shipopt_carrier;
typedef struct shipopt_carrier_config shipopt_carrier_config;

/*
 * Settings, as in <shipopt/settings.h>; environment SHIPOPT_CARRIER_….
 *
 *   api_key              the credential; required, 1 to 512 bytes of visible ASCII; secret
 *   base_url             with the version, without query; default "https://api.easypost.com/v2"
 *   account              name of the carrier account in the purchase ledger, which stays the same when the key changes; default
 *                        "default". In one store an account belongs to one tenant
 *   mode                 test or production, part of the ledger key. Default: as the API key says (EZTK…, EZAK…); required for a
 *                        key that does not say it
 *   timeout_ms           longest time for one request, without the wait for admission; default 60,000, 1 to 600,000
 *   connect_timeout_ms   default 10,000, 1 to 600,000
 *   queue_timeout_ms     longest wait for admission; default 600,000; 0: no limit
 *   queue_max            calls waiting for admission; default 4,096, 1 to 1,048,576
 *   response_max_bytes   default 8,388,608
 *   concurrency_max      most requests on the wire; default 64, 1 to 4,096
 *   concurrency_min      floor of the adaptive limit; default 1
 *   concurrency_start    where the adaptive limit starts; default 16
 *   adaptive             1: the limit adapts (default); 0: it is concurrency_max
 *   list_per_second      requests per second to list endpoints; default 5 (the API's own limit); 0: no limit
 *   requests_per_second  requests per second to each other class of endpoints; default 0: no limit
 *   attempts_max         attempts of one call, including the first; default 4, 1 to 100
 *   retry_base_ms        default 100; retry_cap_ms default 10,000: full jitter between 0 and min(cap, base × 2^n)
 *   retry_budget         tokens; default 500
 *   breaker_open_ms      default 10,000; breaker_window default 100 outcomes
 *   settle_ms            how long after a purchase a look-up that shows no postage proves nothing; default 120,000, 0 to 3,600,000;
 *                        for purchases through the ledger at least 1.2 × timeout_ms. The ledger row keeps the largest value under
 *                        which its shipment was sent, and that one counts, also after a change of the setting
 *   cache_ttl_ms         with a cache: how long an answer is used; default 60,000, 0 (not kept) to 86,400,000
 *   tracker_ttl_ms       the same for reads of trackers; default 30,000
 *   quote_ttl_ms         the same for shipopt_carrier_shipment_quote(); default 300,000, a tenth of it if a carrier failed to rate
 *   ca_file              PEM bundle; default: SSL_CERT_FILE, libcurl's own, then the usual places
 *   proxy                [scheme://][user:password@]host[:port] with http (the default), https, socks4, socks4a, socks5 or
 *                        socks5h; "@", "/", "?", "#" and "%" of user and password percent-encoded; default none; the
 *                        environment is not read; secret
 *   trace                1: log the headers of each request and answer at SHIPOPT_LOG_DEBUG, for debugging; default 0
 *
 * A secret appears in no message, log line, result or store, also if a server or proxy repeats it: the library searches every
 * answer for the key and the proxy's password, literal, escaped as in JSON and URLs, or encoded as in "Authorization: Basic", and
 * overwrites them with asterisks. A key or password of less than 8 bytes is not searched for, as ids and amounts could contain it.
 *   deliver_inline       1: call back on the event loop instead of a scheduler thread. The callbacks must be short and never
 *                        block. Not together with a queue; default 0
 */
SHIPOPT_API int shipopt_carrier_config_new(shipopt_carrier_config **ret_config);
SHIPOPT_API void shipopt_carrier_config_free(shipopt_carrier_config *config);
SHIPOPT_API int shipopt_carrier_config_set(shipopt_carrier_config *config, const char *name, const char *text);
SHIPOPT_API int shipopt_carrier_config_set_int(shipopt_carrier_config *config, const char *name, int64_t number);
SHIPOPT_API int shipopt_carrier_config_from_env(shipopt_carrier_config *config);
SHIPOPT_API const shipopt_error *shipopt_carrier_config_error(const shipopt_carrier_config *config);
/* Delivers completions to a queue; NULL: to scheduler threads. The handle keeps a reference to the queue. */
SHIPOPT_API int shipopt_carrier_config_set_queue(shipopt_carrier_config *config, shipopt_queue *queue);

/* The cache for answers; NULL: none. Several clients, and the host's own entries, may share a cache. Configuration and client each
 * keep a reference. The cache's removal listener may then be called on threads of the library. */
SHIPOPT_API int shipopt_carrier_config_set_cache(shipopt_carrier_config *config, shipopt_cache *cache);

/* Makes a client; `config` is copied. Nothing is sent yet. SHIPOPT_EINVAL names the setting that is missing or wrong,
 * SHIPOPT_EPARSE what is wrong with base_url, SHIPOPT_ETLS if no certificate bundle is found. *ret_error may be NULL, and is the caller's to unref. */
SHIPOPT_API int shipopt_carrier_new(shipopt_runtime *runtime, const shipopt_carrier_config *config,
	shipopt_carrier **ret_carrier, shipopt_error **ret_error);
/* Drops the caller's reference; never blocks; running calls go on. Accepts NULL. */
SHIPOPT_API void shipopt_carrier_free(shipopt_carrier *carrier);

/* Options of one raw call, in place of the client's. Opaque, reusable; freed with _free. 0 and NULL restore the client's
 * value. Since 0.1. */
typedef struct shipopt_call_options shipopt_call_options;
SHIPOPT_API int shipopt_call_options_new(shipopt_call_options **ret_options);
SHIPOPT_API void shipopt_call_options_free(shipopt_call_options *options);
SHIPOPT_API int shipopt_call_options_set_timeout_ms(shipopt_call_options *options, int64_t timeout_ms);
SHIPOPT_API int shipopt_call_options_set_api_key(shipopt_call_options *options, const char *key);
SHIPOPT_API int shipopt_call_options_set_base_url(shipopt_call_options *options, const char *url);
/* How a read uses the cache: USE looks there first (the default); REFRESH always asks the carrier and keeps the answer; NONE does
 * not use the cache at all. Without a cache all three are the same. */
enum { SHIPOPT_CALL_CACHE_USE = 0, SHIPOPT_CALL_CACHE_REFRESH = 1, SHIPOPT_CALL_CACHE_NONE = 2 };
SHIPOPT_API int shipopt_call_options_set_cache(shipopt_call_options *options, int mode);

/*
 * Any call of the API. `method`: GET, POST, PUT, PATCH, DELETE; `path` begins with "/" and is relative to the base URL,
 * query included; `json` is the body (sent as it is) or NULL; `options` may be NULL. GET is repeated on failure. POST, PATCH, PUT
 * and DELETE are repeated only if the server certainly did no work (429, nothing sent); if the outcome is not known they end
 * with SHIPOPT_EINDOUBT. The answer is in shipopt_op_json().
 *
 * A call that spends money is never sent a second time, whatever its failure, and is waited for once it is sent. Such a call is
 * any except GET with "buy", "create_and_buy", "luma", "insure", "insurances" or "charges" as a segment of the path, or with a
 * `service` or an `insurance` in the shipment, order or batch of the body: POST /shipments with a service buys the label at once.
 * A body that is not JSON counts as one that spends. These calls are UNGUARDED: neither ledger nor spend limit counts them; use
 * shipopt_bulk_purchase() or a bulk run instead.
 */
SHIPOPT_API int shipopt_carrier_call(shipopt_carrier *carrier, const char *method, const char *path, const char *json,
	const shipopt_call_options *options, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);

/*
 * POST /shipments: creates a shipment and its rates; costs nothing. After SHIPOPT_EINDOUBT it may be called again: at worst this
 * leaves a second, unpaid shipment. Fields that only the carrier sets (ids, rates, states) are not sent. With
 * SHIPOPT_SHIPMENT_SERVICE or _CARRIER the carrier would buy a label at once: the operation then completes with SHIPOPT_EINVAL,
 * which names the field, and nothing is sent. SHIPOPT_SHIPMENT_INSURANCE is not sent either, as insurance is bought with the
 * label: give it to shipopt_carrier_shipment_buy(). Result: shipment.
 */
SHIPOPT_API int shipopt_carrier_shipment_create(shipopt_carrier *carrier, const shipopt_record *shipment,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
/*
 * What a shipment would cost: rates to show, not to buy. With a cache, quotes are kept by the content that decides the price:
 * addresses, parcel, customs, options and carrier accounts, in any order and notation. Reference, names, e-mail addresses and
 * options that are only printed do not count. The call sends POST /shipments without the reference, which leaves an unused, unpaid
 * shipment at the carrier, and is repeated like a read. Service, carrier and insurance: as in shipopt_carrier_shipment_create(). Result:
 * shipment with rates and messages only; it has no ids, as the answer may have been another call's. To buy, create a shipment,
 * which gets new rates, and compare the prices, as shipopt_bulk_purchase() and bulk runs do.
 */
SHIPOPT_API int shipopt_carrier_shipment_quote(shipopt_carrier *carrier, const shipopt_record *shipment,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
/*
 * POST /shipments/{id}/buy: SPENDS MONEY and is unguarded: use shipopt_bulk_purchase() or a bulk run, which keep a ledger. Never
 * repeated; SHIPOPT_EINDOUBT means that it may have bought: retrieve the shipment before anything else.
 * `insurance` in millionths, -1: none. Result: shipment.
 */
SHIPOPT_API int shipopt_carrier_shipment_buy(shipopt_carrier *carrier, const char *shipment_id, const char *rate_id,
	int64_t insurance, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
/*
 * GET /shipments/{id}. Result: shipment.
 *
 * Here and in the other calls that name a shipment or tracker, an answer about another object is an error: SHIPOPT_EPROTOCOL, or
 * SHIPOPT_EINDOUBT from the calls that are not repeated (buy, refund); the message has both ids. The object may be named by its id,
 * its reference or its tracking code.
 */
SHIPOPT_API int shipopt_carrier_shipment_retrieve(shipopt_carrier *carrier, const char *shipment_id,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
/* POST /shipments/{id}/rerate: new rates. Safe to repeat, and repeated. Result: shipment. */
SHIPOPT_API int shipopt_carrier_shipment_rerate(shipopt_carrier *carrier, const char *shipment_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);
/* POST /shipments/{id}/refund: asks for the money back. Result: shipment with refund_status. */
SHIPOPT_API int shipopt_carrier_shipment_refund(shipopt_carrier *carrier, const char *shipment_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);
/* POST /trackers (creating the same code again gives the same tracker, so it is repeated) and GET /trackers/{id}. `carrier_name`
 * may be NULL. Result: tracker. */
SHIPOPT_API int shipopt_carrier_tracker_create(shipopt_carrier *carrier, const char *tracking_code,
	const char *carrier_name, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
SHIPOPT_API int shipopt_carrier_tracker_retrieve(shipopt_carrier *carrier, const char *tracker_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);
/*
 * POST /addresses and GET /addresses/{id}/verify. `verify`: SHIPOPT_VERIFY_NONE; _SOFT: a failed verification is still success,
 * its result is in the record (SHIPOPT_ADDRESS_VERIFICATIONS); _STRICT: a failed verification is SHIPOPT_EREFUSED. Result: address.
 */
enum { SHIPOPT_VERIFY_NONE = 0, SHIPOPT_VERIFY_SOFT = 1, SHIPOPT_VERIFY_STRICT = 2 };
SHIPOPT_API int shipopt_carrier_address_create(shipopt_carrier *carrier, const shipopt_record *address, int verify,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
SHIPOPT_API int shipopt_carrier_address_verify(shipopt_carrier *carrier, const char *address_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);

/* Counters and gauges of the client, read without stopping it; SHIPOPT_EINVAL for an unknown one. */
enum {
	SHIPOPT_CARRIER_STAT_REQUESTS = 1, /* sent, retries included */
	SHIPOPT_CARRIER_STAT_RETRIES = 2,
	SHIPOPT_CARRIER_STAT_RATE_LIMITED = 3, /* answers 429 */
	SHIPOPT_CARRIER_STAT_LIMIT = 4,        /* requests allowed on the wire now */
	SHIPOPT_CARRIER_STAT_ON_WIRE = 5,
	SHIPOPT_CARRIER_STAT_WAITING = 6,        /* for admission */
	SHIPOPT_CARRIER_STAT_BREAKER_OPENED = 7, /* times */
	SHIPOPT_CARRIER_STAT_CONNECTIONS_OPENED = 8,
	SHIPOPT_CARRIER_STAT_CERTIFICATE_CACHE =
		9,                        /* 0: libcurl's own store cache works, 1: the library shares a store */
	SHIPOPT_CARRIER_STAT_ANSWERS = 10 /* HTTP answers of the host at base_url, with any status; since 0.2 */
};
SHIPOPT_API int shipopt_carrier_stat(shipopt_carrier *carrier, int stat, int64_t *ret_value);

SHIPOPT_END_DECLS

#endif
