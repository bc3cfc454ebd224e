/* SPDX-License-Identifier: MIT */
#include "config/tables.h"

#include "base/url.h"
#include "config/check.h"

/*
 * config/generate.py reads this file: an entry is one of the macros below, with literals as its arguments. The help
 * says what the setting is, without its default and bounds; it is a phrase without a period at the end.
 */
/* clang-format off */
#define INTEGER(name, value, minimum, maximum, help) {name, SETTING_INTEGER, value, minimum, maximum, NULL, help, NULL, NULL, NULL}
#define BOOLEAN(name, value, help) {name, SETTING_BOOLEAN, value, 0, 1, NULL, help, NULL, NULL, NULL}
#define MONEY(name, value, maximum, currency, help) {name, SETTING_MONEY, value, 0, maximum, NULL, help, NULL, currency, NULL}
#define DECIMAL(name, value, maximum, help) {name, SETTING_DECIMAL, value, 0, maximum, NULL, help, NULL, NULL, NULL}
#define TEXT(name, value, minimum, maximum, help) {name, SETTING_TEXT, 0, minimum, maximum, value, help, NULL, NULL, NULL}
#define CHOICE(name, value, minimum, choices, help) {name, SETTING_TEXT, 0, minimum, 32, value, help, choices, NULL, NULL}
#define FORM(name, value, minimum, maximum, check, help) {name, SETTING_TEXT, 0, minimum, maximum, value, help, NULL, NULL, check}
#define SECRET(name, value, minimum, maximum, help) {name, SETTING_SECRET, 0, minimum, maximum, value, help, NULL, NULL, NULL}
/* clang-format on */
#define TABLE(noun, settings, total)                                                                  \
	_Static_assert(ARRAY_SIZE(settings) == total, "the table and its enumeration differ: " noun); \
	const struct settings_table

static const struct setting runtime_table[] = {
	INTEGER("workers", 0, 0, 256, "scheduler threads, which run callbacks; 0: one per usable core"),
	INTEGER("side_threads", 0, 0, 256, "maximum of threads for blocking work; 0: two per core, at most 40"),
	INTEGER("reactors", 1, 1, 16, "event loop threads"),
	INTEGER("log_level", 0, 0, 4, "0 silent, 1 errors, 2 warnings, 3 information, 4 debugging"),
};
TABLE("runtime", runtime_table, RUNTIME_SETTING_COUNT)
runtime_settings = {"runtime", runtime_table, ARRAY_SIZE(runtime_table)};

static const struct setting carrier_table[] = {
	SECRET("api_key", NULL, 1, 512, "the API key"),
	FORM("base_url", "https://api.easypost.com/v2", 8, 1024, url_check_base, "the address of the API"),
	TEXT("account", "default", 1, 64, "name of the carrier account in the purchase ledger"),
	CHOICE("mode", "", 0, "test|production", "the mode of the API key; empty: as the key says"),
	INTEGER("timeout_ms", 60000, 1, 600000,
		"time limit for one HTTP request, without its wait for admission; a call may send several"),
	INTEGER("call_timeout_ms", 0, 0, 86400000,
		"time limit for one call with all its waits, requests and retries; 0: no limit"),
	INTEGER("connect_timeout_ms", 10000, 1, 600000, "time limit for connecting, TLS included"),
	INTEGER("queue_timeout_ms", 600000, 0, 86400000, "maximum wait for admission; 0: no limit"),
	INTEGER("queue_max", 4096, 1, 1048576, "maximum of calls that wait for admission"),
	INTEGER("response_max_bytes", 8388608, 1024, 1073741824, "maximum size of a response"),
	INTEGER("concurrency_max", 64, 1, 4096, "maximum of requests in flight"),
	INTEGER("concurrency_min", 1, 1, 4096, "lower bound of the adaptive limit"),
	INTEGER("concurrency_start", 16, 1, 4096, "initial value of the adaptive limit"),
	BOOLEAN("adaptive", 1, "adapt the limit of requests in flight to HTTP 429 and overload"),
	INTEGER("list_per_second", 5, 0, 1000000, "requests per second to list endpoints; 0: no limit"),
	INTEGER("requests_per_second", 0, 0, 1000000,
		"requests per second to each other class of endpoints; 0: no limit"),
	INTEGER("attempts_max", 4, 1, 100, "maximum of attempts for one call, the first one included"),
	INTEGER("retry_base_ms", 100, 1, 60000, "back-off before a retry: its base, which doubles with each attempt"),
	INTEGER("retry_cap_ms", 10000, 1, 600000, "back-off before a retry: its maximum"),
	INTEGER("retry_budget", 500, 0, 1000000, "retries that may be outstanding before the carrier answers again"),
	INTEGER("breaker_open_ms", 10000, 1, 600000, "how long the circuit breaker stays open"),
	INTEGER("breaker_window", 100, 10, 10000, "number of recent requests that the circuit breaker counts"),
	INTEGER("settle_ms", 120000, 0, 3600000,
		"how long after a purchase was sent \"no postage\" is not yet accepted as proof that nothing was bought"),
	INTEGER("cache_ttl_ms", 60000, 0, 86400000, "how long a response is cached; 0: responses are not cached"),
	INTEGER("tracker_ttl_ms", 30000, 0, 86400000, "how long a tracker is cached"),
	INTEGER("quote_ttl_ms", 300000, 0, 86400000, "how long quoted rates are cached"),
	TEXT("ca_file", NULL, 1, 4096, "PEM file with certificate authorities; not set: the system's"),
	SECRET("proxy", NULL, 0, 1024,
		"URL of an HTTP or SOCKS proxy; proxy variables of the environment are not read"),
	BOOLEAN("deliver_inline", 0,
		"call back on the event loop; only for callbacks that are short and never block, and not with a queue"),
	BOOLEAN("trace", 0, "log the headers of each request and response at level debug, without credentials"),
};
TABLE("carrier", carrier_table, CARRIER_SETTING_COUNT)
carrier_settings = {"carrier", carrier_table, ARRAY_SIZE(carrier_table)};

static const struct setting call_table[] = {
	INTEGER("timeout_ms", 0, 0, 600000, "time limit for one HTTP request; 0: that of the client"),
	INTEGER("call_timeout_ms", 0, 0, 86400000,
		"time limit for the call with all its waits, requests and retries; 0: that of the client"),
	SECRET("api_key", NULL, 1, 512, "the API key; not set: that of the client"),
	FORM("base_url", NULL, 8, 1024, url_check_base, "the address of the API; not set: that of the client"),
	CHOICE("cache", "use", 1, "use|refresh|none",
		"how a read uses the cache: use looks there first, refresh sends a request and stores the response, none does neither"),
};
TABLE("call", call_table, CALL_SETTING_COUNT)
call_settings = {"call", call_table, ARRAY_SIZE(call_table)};

static const struct setting pool_table[] = {
	SECRET("conninfo", NULL, 0, 4096, "libpq connection string or URL; not set or empty: libpq's own defaults"),
	INTEGER("min", 0, 0, 1024, "connections that are kept open"),
	INTEGER("max", 8, 1, 1024, "maximum of connections that are kept for reuse"),
	INTEGER("overflow", 0, 0, 1024, "connections beyond max while calls wait"),
	INTEGER("queue_max", 4096, 1, 1048576, "maximum of calls that wait for a connection"),
	INTEGER("acquire_timeout_ms", 30000, 1, 3600000, "maximum wait for a connection"),
	INTEGER("connect_timeout_ms", 10000, 100, 600000,
		"time limit for connecting to one host, TLS and authentication included"),
	INTEGER("connects_max", 2, 1, 64, "maximum of connects at the same time"),
	INTEGER("backoff_min_ms", 10, 1, 60000, "pause after the first failed connect"),
	INTEGER("backoff_max_ms", 5000, 1, 600000, "maximum pause after failed connects"),
	INTEGER("lifetime_ms", 1800000, 0, 604800000,
		"age at which a connection is replaced, plus or minus a tenth; 0: never"),
	INTEGER("idle_timeout_ms", 300000, 0, 604800000,
		"idle time after which a connection beyond min is closed; 0: never"),
	INTEGER("ping_idle_ms", 1000, 0, 604800000, "idle time after which a connection is tested before use"),
	BOOLEAN("pre_ping", 0, "test a connection before every use with a round trip"),
	BOOLEAN("poll_acquire", 0, "test the socket of a connection before every use, without a round trip"),
	INTEGER("command_timeout_ms", 60000, 0, 86400000, "time limit for a command; 0: no limit"),
	INTEGER("cancel_grace_ms", 5000, 10, 600000, "time a canceled command has before its connection is closed"),
	INTEGER("statements_max", 256, 0, 65536, "maximum of prepared statements per connection"),
	BOOLEAN("named_statements", 1, "prepare statements by name; 0 for connection poolers that cannot"),
	INTEGER("pipeline_statements", 256, 1, 65536,
		"maximum of statements that are sent before their results arrive"),
	INTEGER("pipeline_bytes", 262144, 1024, 1073741824,
		"maximum of bytes that are sent before their results arrive"),
	INTEGER("stream_bytes", 1048576, 65536, 1073741824,
		"maximum of bytes of a stream or COPY that wait for their reader"),
	INTEGER("result_bytes", 67108864, 0, 1099511627776,
		"maximum of memory for the result of a query or batch, about twice the bytes received; 0: no limit"),
	INTEGER("reset", 1, 0, 2, "reset the session on release: 0 never, 1 if it was changed, 2 always"),
	INTEGER("leak_ms", 0, 0, 86400000, "age at which a lease is reported as leaked; 0: never"),
	INTEGER("slow_ms", 0, 0, 86400000, "duration at which a command is reported as slow; 0: never"),
	SECRET("listen_conninfo", NULL, 0, 4096, "connection string of the connection that listens; empty: conninfo"),
	INTEGER("notifications_max", 1024, 1, 1048576, "maximum of notifications that wait for a listener"),
	BOOLEAN("deliver_inline", 0,
		"call back on the event loop; only for callbacks that are short and never block, and not with a queue"),
};
TABLE("pool", pool_table, POOL_SETTING_COUNT)
pool_settings = {"pool", pool_table, ARRAY_SIZE(pool_table)};

static const struct setting store_table[] = {
	SECRET("url", "sqlite:ship.db", 1, 4096, "the store that is opened where no URL is given"),
	TEXT("tenant", "default", 1, 64, "name of the tenant whose rows this handle sees"),
	CHOICE("confirm_mode", "", 0, "test|production", "the mode of rows that an earlier version wrote without one"),
	INTEGER("busy_timeout_ms", 10000, 0, 600000, "maximum wait for a write of another process"),
	INTEGER("queue_max", 16384, 16, 1048576, "maximum of requests that wait for the writer"),
	INTEGER("group_max", 256, 1, 4096, "maximum of requests in one transaction"),
	BOOLEAN("deliver_inline", 0,
		"call back on the event loop; only for callbacks that are short and never block, and not with a queue"),
};
TABLE("store", store_table, STORE_SETTING_COUNT)
store_settings = {"store", store_table, ARRAY_SIZE(store_table)};

static const struct setting source_table[] = {
	INTEGER("line_max_bytes", 1048576, 256, 16777216, "maximum size of one record of a file"),
	INTEGER("columns_max", 256, 1, 4096, "maximum of columns of a file"),
	INTEGER("push_max", 1024, 1, 1048576, "maximum of orders that wait in a push source"),
};
TABLE("source", source_table, SOURCE_SETTING_COUNT)
source_settings = {"source", source_table, ARRAY_SIZE(source_table)};

/* A currency comes before the amounts in it, so that the environment sets it first. */
static const struct setting bulk_table[] = {
	INTEGER("max_in_flight", 0, 0, 4096, "maximum of items in progress; 0: 16 for writes, 32 for tracking"),
	INTEGER("settling_max", 10000, 1, 1000000, "maximum of items that wait for a purchase in doubt to settle"),
	INTEGER("item_timeout_ms", 600000, 1, 86400000,
		"time limit for one item; a purchase that was sent is waited for"),
	INTEGER("lease_ms", 180000, 1000, 3600000, "how long a ledger row is reserved for one process"),
	INTEGER("unreachable_ms", 60000, 0, 86400000,
		"end a run whose carrier was never reached in this time; 0: never"),
	BOOLEAN("in_order", 0, "deliver results in the order of the input"),
	INTEGER("order_window", 1024, 1, 1048576, "maximum of finished items that in_order holds back"),
	CHOICE("rate_choice", "cheapest", 1, "cheapest|fastest|services", "which rate is bought"),
	FORM("services", NULL, 0, 4096, check_services,
		"the services for rate_choice services, best first, separated by commas: Carrier/Service or Service"),
	BOOLEAN("rate_again", 0, "orders that were rated and not bought are rated again"),
	CHOICE("missing_carrier", "fail", 1, "wait|fallback|fail", "what to do while the wanted carrier has no rate"),
	INTEGER("fallback_percent", 20, 0, 10000,
		"how much more a fallback may cost than the cheapest wanted rate that was seen before"),
	INTEGER("ceiling_percent", 0, 0, 10000,
		"how much a price may rise above the stored rate before it needs review"),
	TEXT("budget", "default", 1, 128, "name of the spend limit in the store"),
	FORM("currency", NULL, 3, 3, check_currency, "currency of spend_limit, of max_rate and of the choice of rates"),
	MONEY("spend_limit", 0, INT64_MAX, "currency",
		"maximum that is spent from the budget, over all runs; 0: no limit"),
	CHOICE("purpose", "outbound", 1, "outbound|return|replacement", "what the shipments are"),
	FORM("insurance_currency", "USD", 3, 3, check_currency, "currency of insured values and of the fee"),
	DECIMAL("insurance_fee_percent", 1000000, 100000000, "price of insurance in percent of the insured value"),
	MONEY("insurance_fee_min", 1000000, 1000000000, "insurance_currency", "minimum price of insurance"),
	INTEGER("progress_ms", 500, 10, 3600000, "interval of progress reports"),
	BOOLEAN("deliver_inline", 0,
		"call back on the event loop; only for callbacks that are short and never block, and not with a queue"),
};
TABLE("bulk", bulk_table, BULK_SETTING_COUNT)
bulk_settings = {"bulk", bulk_table, ARRAY_SIZE(bulk_table)};

static const struct setting cache_table[] = {
	CHOICE("policy", "s3fifo", 1, "s3fifo|lru", "which entries are evicted"),
	INTEGER("entries_max", 10000, 0, 1073741824, "maximum number of entries; 0: no limit on entries"),
	INTEGER("bytes_max", 67108864, 4096, 1099511627776, "maximum bytes of keys, values and overhead"),
	INTEGER("value_max_bytes", 0, 0, 4294967295, "maximum bytes of one entry; 0: an eighth of bytes_max"),
	BOOLEAN("count_held", 0, "removed entries whose handles are still held count against bytes_max"),
	INTEGER("ttl_ms", 60000, 0, 315360000000, "time to live of a value; 0: never expires"),
	INTEGER("soft_ttl_ms", 0, 0, 315360000000, "age at which a value becomes stale; 0: never"),
	INTEGER("access_ttl_ms", 0, 0, 315360000000, "an entry expires when not read for this long; 0: no limit"),
	INTEGER("not_found_ttl_ms", 5000, 1, 315360000000, "time to live of a not found entry"),
	INTEGER("jitter_percent", 0, 0, 90, "maximum percentage by which times to live are randomly shortened"),
	INTEGER("error_backoff_ms", 0, 0, 3600000,
		"how long a failed load's error is returned before the key is loaded again"),
	INTEGER("load_timeout_ms", 30000, 0, 86400000, "maximum wait for another caller's load"),
	INTEGER("loads_max", 4096, 1, 1048576, "maximum number of loads in flight, including those in back-off"),
	INTEGER("tags_max", 65536, 1, 16777216, "maximum number of different tags in use"),
	INTEGER("shards", 0, 0, 64, "independently locked parts; 0: chosen from the bounds"),
};
TABLE("cache", cache_table, CACHE_SETTING_COUNT)
cache_settings = {"cache", cache_table, ARRAY_SIZE(cache_table)};
