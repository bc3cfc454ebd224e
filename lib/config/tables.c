/* SPDX-License-Identifier: MIT */
#include "config/tables.h"

/* clang-format off */
#define INTEGER(name, value, minimum, maximum, help) {name, SETTING_INTEGER, value, minimum, maximum, NULL, help}
#define BOOLEAN(name, value, help) {name, SETTING_BOOLEAN, value, 0, 1, NULL, help}
#define MONEY(name, value, maximum, help) {name, SETTING_MONEY, value, 0, maximum, NULL, help}
#define TEXT(name, value, minimum, maximum, help) {name, SETTING_TEXT, 0, minimum, maximum, value, help}
#define SECRET(name, minimum, maximum, help) {name, SETTING_SECRET, 0, minimum, maximum, NULL, help}
/* clang-format on */
#define TABLE(noun, settings, total)                                                                  \
	_Static_assert(ARRAY_SIZE(settings) == total, "the table and its enumeration differ: " noun); \
	const struct settings_table

static const struct setting runtime_table[] = {
	INTEGER("workers", 0, 0, 256, "scheduler threads; 0: one per usable core"),
	INTEGER("side_threads", 0, 0, 256, "most side pool threads; 0: min(40, 2 × cores)"),
	INTEGER("reactors", 1, 1, 16, "event loop threads"),
	INTEGER("log_level", 0, 0, 4, "0 silent, 1 error, 2 warning, 3 info, 4 debug"),
};
TABLE("runtime", runtime_table, RUNTIME_SETTING_COUNT)
runtime_settings = {"runtime", runtime_table, ARRAY_SIZE(runtime_table)};

static const struct setting carrier_table[] = {
	SECRET("api_key", 1, 512, "the credential"),
	TEXT("base_url", "https://api.easypost.com/v2", 8, 1024, "where the API is"),
	TEXT("account", "default", 1, 64, "name of the carrier account in the purchase ledger"),
	TEXT("mode", "", 0, 16, "test or production; empty: as the API key says"),
	INTEGER("timeout_ms", 60000, 1, 600000, "longest time for one request on the wire"),
	INTEGER("connect_timeout_ms", 10000, 1, 600000, "longest time to connect, TLS included"),
	INTEGER("queue_timeout_ms", 600000, 0, 86400000, "longest wait for admission; 0: without end"),
	INTEGER("queue_max", 4096, 1, 1048576, "calls waiting for admission"),
	INTEGER("response_max_bytes", 8388608, 1024, 1073741824, "largest answer"),
	INTEGER("concurrency_max", 64, 1, 4096, "most requests on the wire"),
	INTEGER("concurrency_min", 1, 1, 4096, "floor of the adaptive limit"),
	INTEGER("concurrency_start", 16, 1, 4096, "where the adaptive limit starts"),
	BOOLEAN("adaptive", 1, "whether the limit adapts"),
	INTEGER("list_per_second", 5, 0, 1000000, "requests per second to list endpoints; 0: no limit"),
	INTEGER("requests_per_second", 0, 0, 1000000, "requests per second to each other endpoint class; 0: no limit"),
	INTEGER("attempts_max", 4, 1, 100, "tries of one call, the first included"),
	INTEGER("retry_base_ms", 100, 1, 60000, "full jitter: base of the delay"),
	INTEGER("retry_cap_ms", 10000, 1, 600000, "full jitter: longest delay"),
	INTEGER("retry_budget", 500, 0, 1000000, "tokens for retries"),
	INTEGER("breaker_open_ms", 10000, 1, 600000, "how long the circuit breaker stays open"),
	INTEGER("breaker_window", 100, 10, 10000, "outcomes that the circuit breaker looks at"),
	INTEGER("settle_ms", 120000, 0, 3600000, "how long \"no postage\" proves nothing after a purchase was sent"),
	INTEGER("cache_ttl_ms", 60000, 0, 86400000, "how long a kept answer is good; 0: answers are not kept"),
	INTEGER("tracker_ttl_ms", 30000, 0, 86400000, "the same for trackers"),
	INTEGER("quote_ttl_ms", 300000, 0, 86400000, "the same for quoted rates"),
	TEXT("ca_file", NULL, 1, 4096, "PEM bundle of certificate authorities"),
	SECRET("proxy", 0, 1024, "URL of a proxy; the environment is not read"),
};
TABLE("carrier", carrier_table, CARRIER_SETTING_COUNT)
carrier_settings = {"carrier", carrier_table, ARRAY_SIZE(carrier_table)};

static const struct setting pool_table[] = {
	SECRET("conninfo", 0, 4096, "libpq connection string or URL; empty: libpq's own defaults"),
	INTEGER("min", 0, 0, 1024, "connections kept open"),
	INTEGER("max", 8, 1, 1024, "connections kept for reuse, at most"),
	INTEGER("overflow", 0, 0, 1024, "connections beyond max while there are waiters"),
	INTEGER("queue_max", 4096, 1, 1048576, "calls waiting for a connection"),
	INTEGER("acquire_timeout_ms", 30000, 1, 3600000, "longest wait for a connection"),
	INTEGER("connect_timeout_ms", 10000, 100, 600000,
		"longest time to connect to one host, TLS and authentication included"),
	INTEGER("connects_max", 2, 1, 64, "connects under way at once"),
	INTEGER("backoff_min_ms", 10, 1, 60000, "pause after the first failed connect"),
	INTEGER("backoff_max_ms", 5000, 1, 600000, "longest pause after failed connects"),
	INTEGER("lifetime_ms", 1800000, 0, 604800000,
		"age at which a connection is replaced, give or take a tenth; 0: never"),
	INTEGER("idle_timeout_ms", 300000, 0, 604800000,
		"idle time after which a connection above min is closed; 0: never"),
	INTEGER("ping_idle_ms", 1000, 0, 604800000, "idle time after which a connection is pinged before use"),
	BOOLEAN("pre_ping", 0, "ping before every use"),
	BOOLEAN("poll_acquire", 0, "look at the socket before every use"),
	INTEGER("command_timeout_ms", 60000, 0, 86400000, "longest time for a command; 0: without end"),
	INTEGER("cancel_grace_ms", 5000, 10, 600000, "time a cancel has before the connection is closed"),
	INTEGER("statements_max", 256, 0, 65536, "prepared statements kept per connection"),
	BOOLEAN("named_statements", 1, "whether statements are prepared under names; no for poolers that cannot"),
	INTEGER("pipeline_statements", 256, 1, 65536, "statements sent ahead of their answers"),
	INTEGER("pipeline_bytes", 262144, 1024, 1073741824, "bytes sent ahead of their answers"),
	INTEGER("stream_bytes", 1048576, 65536, 1073741824, "bytes of a stream or COPY that wait for their reader"),
	INTEGER("result_bytes", 67108864, 0, 1099511627776,
		"memory for what a query or batch returns, twice the bytes received; 0: without bound"),
	INTEGER("reset", 1, 0, 2, "clean the session on release: 0 never, 1 when it was changed, 2 always"),
	INTEGER("leak_ms", 0, 0, 86400000, "age at which a lease is reported as leaked; 0: never"),
	INTEGER("slow_ms", 0, 0, 86400000, "duration from which a command is reported as slow; 0: never"),
	BOOLEAN("slow_explain", 0, "whether reports of slow commands carry a plan"),
	INTEGER("slow_explain_per_minute", 6, 1, 600, "plans asked for in a minute"),
	SECRET("listen_conninfo", 0, 4096, "connection string of the connection that listens; empty: conninfo"),
	INTEGER("notifications_max", 1024, 1, 1048576, "notifications that wait for their listener"),
};
TABLE("pool", pool_table, POOL_SETTING_COUNT)
pool_settings = {"pool", pool_table, ARRAY_SIZE(pool_table)};

static const struct setting store_table[] = {
	{"url", SETTING_SECRET, 0, 1, 4096, "sqlite:ship.db", "the store that is opened where no URL is given"},
	TEXT("tenant", "default", 1, 64, "whose rows this handle sees"),
	TEXT("confirm_mode", "", 0, 16, "the mode of rows of an earlier version that guessed it: test or production"),
	INTEGER("busy_timeout_ms", 10000, 0, 600000, "how long to wait for another process's write"),
	INTEGER("queue_max", 16384, 16, 1048576, "requests waiting for the writer"),
	INTEGER("group_max", 256, 1, 4096, "requests in one transaction"),
};
TABLE("store", store_table, STORE_SETTING_COUNT)
store_settings = {"store", store_table, ARRAY_SIZE(store_table)};

static const struct setting source_table[] = {
	INTEGER("line_max_bytes", 1048576, 256, 16777216, "longest record of a file, in bytes"),
	INTEGER("columns_max", 256, 1, 4096, "most columns of a file"),
	INTEGER("push_max", 1024, 1, 1048576, "orders waiting in a push source"),
};
TABLE("source", source_table, SOURCE_SETTING_COUNT)
source_settings = {"source", source_table, ARRAY_SIZE(source_table)};

static const struct setting bulk_table[] = {
	INTEGER("max_in_flight", 0, 0, 4096, "items at work at once; 0: 16 for writes, 32 for tracking"),
	INTEGER("settling_max", 10000, 1, 1000000, "items that wait for a purchase in doubt to settle"),
	INTEGER("item_timeout_ms", 600000, 1, 86400000, "an item's result comes within this time"),
	INTEGER("lease_ms", 180000, 1000, 3600000, "how long a row is reserved for one process"),
	INTEGER("unreachable_ms", 60000, 0, 86400000,
		"ends a run whose carrier was never reached in this time; 0: never"),
	BOOLEAN("in_order", 0, "results in the order of the input"),
	INTEGER("order_window", 1024, 1, 1048576, "how far in_order may run ahead"),
	TEXT("rate_choice", "cheapest", 1, 32, "cheapest, fastest or services"),
	TEXT("services", NULL, 0, 4096, "comma separated names, best first: Carrier/Service or Service"),
	TEXT("missing_carrier", "fail", 1, 16, "the wanted carrier has no rate now: wait, fallback or fail"),
	INTEGER("fallback_percent", 20, 0, 10000,
		"most that a fallback may cost above the cheapest wanted rate seen before"),
	INTEGER("ceiling_percent", 0, 0, 10000, "how much an approved price may grow before it needs review"),
	TEXT("budget", "default", 1, 128, "name of the spend limit in the store"),
	MONEY("spend_limit", 0, INT64_MAX, "most to spend in this budget; 0: no limit"),
	TEXT("currency", NULL, 3, 3, "currency of spend_limit, max_rate and rate choice"),
	TEXT("purpose", "outbound", 1, 16, "outbound, return or replacement"),
	MONEY("insurance_fee_percent", 1000000, 100000000, "what insuring costs, in percent of the insured value"),
	MONEY("insurance_fee_min", 1000000, 1000000000, "and at least"),
	TEXT("insurance_currency", "USD", 3, 3, "currency of the insured values and of the fee"),
	INTEGER("progress_ms", 500, 10, 3600000, "time between progress reports"),
};
TABLE("bulk", bulk_table, BULK_SETTING_COUNT)
bulk_settings = {"bulk", bulk_table, ARRAY_SIZE(bulk_table)};

static const struct setting cache_table[] = {
	TEXT("policy", "s3fifo", 1, 16, "which entries are evicted: s3fifo or lru"),
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
