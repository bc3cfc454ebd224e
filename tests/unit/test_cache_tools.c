/* SPDX-License-Identifier: MIT */
#include "cache_fixture.h"

#include <openssl/evp.h>
#include <shipopt/runtime.h>
#include <unistd.h>

#include <pthread.h>
#include <shipopt/queue.h>

#include "base/buffer.h"
#include "base/clock.h"

static void a_view_answers_repeated_reads_by_itself(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	shipopt_scope *scope;
	const void *data, *again;
	size_t length;
	put(cache, "a", "one");
	assert_int_equal(shipopt_scope_new(cache, 2, &scope), 0);
	assert_int_equal(shipopt_scope_get(scope, "a", 1, &data, &length), SHIPOPT_CACHE_FOUND);
	assert_memory_equal(data, "one", length);
	int64_t hits = stat_of(cache, SHIPOPT_CACHE_STAT_HITS);
	/* The same value again, whatever became of it, and nothing that others could see. */
	put(cache, "a", "two");
	assert_int_equal(shipopt_scope_get(scope, "a", 1, &again, &length), SHIPOPT_CACHE_FOUND);
	assert_ptr_equal(again, data);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_HITS), hits);
	assert_int_equal(shipopt_scope_put(scope, "a", 1, "three", 5), SHIPOPT_ESTATE);
	assert_int_equal(shipopt_scope_get(scope, "b", 1, &again, &length), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(shipopt_scope_put(scope, "b", 1, "private", 7), 0);
	assert_int_equal(shipopt_scope_get(scope, "b", 1, &again, &length), SHIPOPT_CACHE_FOUND);
	assert_int_equal(peek(cache, "b"), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(shipopt_scope_put(scope, "c", 1, "full", 4), SHIPOPT_ETOOLARGE);
	shipopt_cache_free(cache);
	assert_memory_equal(data, "one", 3);
	shipopt_scope_free(scope);
	assert_int_equal(mem_live_count(), 0);
	/* Without a cache, and many values. */
	assert_int_equal(shipopt_scope_new(NULL, 1000, &scope), 0);
	char key[16];
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(shipopt_scope_put(scope, key, strlen(key), key, strlen(key)), 0);
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(shipopt_scope_get(scope, key, strlen(key), &data, &length), SHIPOPT_CACHE_FOUND);
		assert_memory_equal(data, key, length);
	}
	shipopt_scope_free(scope);
	shipopt_scope_free(NULL);
	assert_int_equal(mem_live_count(), 0);
}

struct function {
	int calls;
	char last[64];
};

static int compute(void *userdata, const char *const *arguments, size_t count, shipopt_load *token)
{
	struct function *function = userdata;
	function->calls++;
	snprintf(function->last, sizeof(function->last), "%.*s", (int)shipopt_load_key_length(token),
		(const char *)shipopt_load_key(token));
	char result[64];
	int length = snprintf(result, sizeof(result), "%zu:%s", count, count && arguments[0] ? arguments[0] : "-");
	return shipopt_load_complete(token, result, (size_t)length, NULL);
}

static int call(shipopt_memo *memo, const char *expected, size_t count, const char *const *arguments)
{
	shipopt_value *value = NULL;
	int r = shipopt_memo_call(memo, arguments, count, &value, NULL);
	if (value)
		assert_memory_equal(shipopt_value_data(value), expected, strlen(expected));
	shipopt_value_unref(value);
	return r;
}

static size_t own_key(void *userdata, const char *const *arguments, size_t count, char *key, size_t size)
{
	return (size_t)snprintf(key, size, "%s", arguments[0]);
}

static void a_memo_computes_once_for_each_list_of_arguments(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	struct function function = {0};
	shipopt_memo *memo;
	shipopt_cache_options *options;
	shipopt_cache_options_new(&options);
	shipopt_cache_options_set_ttl_ms(options, 30000);
	assert_int_equal(shipopt_memo_new(cache, "stats", compute, NULL, &function, options, &memo), 0);
	shipopt_cache_options_free(options);
	/* Lists that would read the same when joined. */
	static const char *const lists[][2] = {{"a", "b,c"}, {"a,b", "c"}, {"", "ab"}, {"ab", ""}, {NULL, "ab"}};
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
			assert_int_equal(call(memo, "2:", 2, lists[i]), SHIPOPT_CACHE_FOUND);
	assert_int_equal(function.calls, 5);
	assert_int_equal(call(memo, "0:-", 0, NULL), SHIPOPT_CACHE_FOUND);
	assert_string_equal(function.last, "stats()");
	assert_int_equal(call(memo, "1:a", 1, lists[0]), SHIPOPT_CACHE_FOUND);
	assert_string_equal(function.last, "stats(1:a,)");
	pass_ms(29999);
	call(memo, "1:a", 1, lists[0]);
	assert_int_equal(function.calls, 7);
	assert_int_equal(shipopt_memo_forget(memo, lists[0], 1), 1);
	call(memo, "1:a", 1, lists[0]);
	assert_int_equal(function.calls, 8);
	pass_ms(1);
	call(memo, "0:-", 0, NULL);
	assert_int_equal(function.calls, 9);
	put(cache, "stats2", "stays");
	assert_int_equal(shipopt_memo_forget_all(memo), 0);
	call(memo, "0:-", 0, NULL);
	assert_int_equal(function.calls, 10);
	assert_int_equal(peek(cache, "stats2"), SHIPOPT_CACHE_FOUND);
	static char large[5000];
	memset(large, 'x', sizeof(large) - 1);
	const char *too_large[] = {large};
	assert_int_equal(call(memo, "", 1, too_large), SHIPOPT_ETOOLARGE);
	shipopt_memo_free(memo);
	shipopt_memo *keyed;
	assert_int_equal(shipopt_memo_new(cache, "keyed", compute, own_key, &function, NULL, &keyed), 0);
	assert_int_equal(call(keyed, "2:ab", 2, lists[3]), SHIPOPT_CACHE_FOUND);
	assert_string_equal(function.last, "keyed=ab");
	assert_int_equal(call(keyed, "", 2, lists[2]), SHIPOPT_EINVAL);
	shipopt_cache_free(cache);
	assert_int_equal(call(keyed, "2:ab", 2, lists[3]), SHIPOPT_CACHE_FOUND);
	shipopt_memo_free(keyed);
	shipopt_memo_free(NULL);
	assert_int_equal(mem_live_count(), 0);
}

static int warm_one(void *userdata, shipopt_load *token)
{
	atomic_fetch_add((atomic_int *)userdata, 1);
	const char *key = shipopt_load_key(token);
	if (key[0] == 'x')
		return SHIPOPT_ENOTFOUND;
	shipopt_cache_options *options;
	if (shipopt_cache_options_new(&options) < 0)
		return SHIPOPT_ENOMEM;
	shipopt_cache_options_set_ttl_ms(options, key[0] == 's' ? 86400000 : 3600000);
	int r = shipopt_load_complete(token, key, shipopt_load_key_length(token), options);
	shipopt_cache_options_free(options);
	return r;
}

static void warming_loads_what_is_absent_with_times_of_its_own(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	shipopt_runtime *runtime = NULL;
	const void *keys[] = {"rate:1", "states", "x", "rate:2", "there"};
	const size_t lengths[] = {6, 6, 1, 6, 5};
	atomic_int calls = 0;
	put(cache, "there", "already");
	assert_int_equal(shipopt_cache_warm(cache, 5, keys, lengths, warm_one, &calls, NULL), 4);
	assert_int_equal(calls, 4);
	pass_ms(3600000);
	assert_int_equal(peek(cache, "rate:1"), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(get(cache, "states", "states"), SHIPOPT_CACHE_FOUND);
	shipopt_cache_free(cache);
	assert_int_equal(shipopt_runtime_new(NULL, &runtime, NULL), 0);
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_runtime(config, runtime);
	cache = test_cache(config);
	char names[500][16];
	const void *many[500];
	size_t many_lengths[500];
	for (int i = 0; i < 500; i++) {
		many_lengths[i] = (size_t)snprintf(names[i], sizeof(names[i]), "rate:%d", i);
		many[i] = names[i];
	}
	assert_int_equal(shipopt_cache_warm(cache, 500, many, many_lengths, warm_one, &calls, NULL), 500);
	assert_int_equal(calls, 504);
	assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
	shipopt_runtime_free(runtime);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

struct asker {
	pthread_t thread;
	shipopt_cache *cache;
	const char *key;
	size_t key_length;
	shipopt_cache_ask_fn ask;
	int outcome;
	char text[16];
};

static void *ask_for(void *argument)
{
	struct asker *asker = argument;
	shipopt_value *value = NULL;
	asker->outcome = shipopt_cache_get_or_request(asker->cache, asker->key, asker->key_length, asker->ask, asker,
		NULL, &value, NULL);
	if (value)
		memcpy(asker->text, shipopt_value_data(value), shipopt_value_length(value));
	shipopt_value_unref(value);
	return NULL;
}

static void answer_in_dispatch(void *userdata, shipopt_request *request)
{
	struct asker *asker = userdata;
	shipopt_value *value;
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_cache_get_or_request(asker->cache, "other", 5, NULL, NULL, NULL, &value, &error),
		SHIPOPT_EDEADLK);
	assert_non_null(strstr(shipopt_error_message(error), "shipopt_queue_dispatch()"));
	shipopt_error_unref(error);
	assert_int_equal(shipopt_request_load_complete(request, "dispatched", 10, NULL), 0);
}

static int answer_by_case(int number, shipopt_request *request)
{
	switch (number) {
	case 0: return shipopt_request_load_complete(request, "answer", 6, NULL);
	case 1: return shipopt_request_load_not_found(request, NULL);
	case 2: shipopt_request_complete(request, 0); return 0;
	default: shipopt_request_fail(request, SHIPOPT_ENETWORK, "no network"); return 0;
	}
}

static void loads_are_requested_as_events_of_a_queue(void **state)
{
	shipopt_runtime *runtime;
	shipopt_queue *queue;
	assert_int_equal(shipopt_runtime_new(NULL, &runtime, NULL), 0);
	assert_int_equal(shipopt_queue_new(runtime, 2, &queue), 0);
	shipopt_cache_config *config = test_config();
	assert_int_equal(shipopt_cache_config_set_queue(config, queue), 0);
	shipopt_cache *cache = test_cache(config);
	/* A key is bytes: the first one has a NUL inside. */
	static const char *const keys[] = {"val\0ue", "none", "also none", "fails"};
	static const size_t lengths[] = {6, 4, 9, 5};
	static const int outcomes[] = {SHIPOPT_CACHE_FOUND, SHIPOPT_CACHE_NOT_FOUND, SHIPOPT_CACHE_NOT_FOUND,
		SHIPOPT_ENETWORK};
	for (int i = 0; i < 4; i++) {
		struct asker asker = {.cache = cache, .key = keys[i], .key_length = lengths[i]};
		assert_int_equal(pthread_create(&asker.thread, NULL, ask_for, &asker), 0);
		shipopt_event event;
		assert_int_equal(shipopt_queue_poll(queue, &event, 1, -1), 1);
		assert_int_equal(event.kind, SHIPOPT_EVENT_REQUEST);
		assert_true(event.userdata == (uint64_t)(uintptr_t)&asker);
		shipopt_request *request = shipopt_event_request(&event);
		assert_int_equal(shipopt_request_key_length(request), lengths[i]);
		assert_memory_equal(shipopt_request_key(request), keys[i], lengths[i]);
		assert_int_equal(answer_by_case(i, request), 0);
		pthread_join(asker.thread, NULL);
		assert_int_equal(shipopt_queue_release(queue, &event, 1), 0);
		assert_int_equal(asker.outcome, outcomes[i]);
		assert_string_equal(asker.text, i == 0 ? "answer" : "");
	}
	struct asker asker = {.cache = cache, .key = "by dispatch", .key_length = 11, .ask = answer_in_dispatch};
	assert_int_equal(pthread_create(&asker.thread, NULL, ask_for, &asker), 0);
	assert_int_equal(shipopt_queue_dispatch(queue, 1, -1), 1);
	pthread_join(asker.thread, NULL);
	assert_string_equal(asker.text, "dispatched");
	assert_int_equal(get(cache, "by dispatch", "dispatched"), SHIPOPT_CACHE_FOUND);
	shipopt_cache_free(cache);
	shipopt_queue_free(queue);
	assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
	shipopt_runtime_free(runtime);
	assert_int_equal(mem_live_count(), 0);
}

struct removals {
	int count, cause;
	char key[16];
	pthread_t thread;
};

static void note_removal(void *userdata, const void *key, size_t key_length, shipopt_value *value, int cause)
{
	struct removals *removals = userdata;
	removals->count++;
	removals->cause = cause;
	removals->thread = pthread_self();
	memcpy(removals->key, key, key_length);
	assert_int_equal(shipopt_value_length(value), 5);
}

static void *remove_elsewhere(void *cache)
{
	shipopt_cache_remove(cache, "dispatched", 10);
	return NULL;
}

static void removals_are_notices_of_a_queue(void **state)
{
	shipopt_runtime *runtime;
	shipopt_queue *queue;
	shipopt_event events[300];
	struct removals removals = {0};
	assert_int_equal(shipopt_runtime_new(NULL, &runtime, NULL), 0);
	assert_int_equal(shipopt_queue_new(runtime, 2, &queue), 0);
	shipopt_cache_config *config = test_config();
	assert_int_equal(shipopt_cache_config_set_queue(config, queue), 0);
	assert_int_equal(shipopt_cache_config_set_queue(NULL, queue), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_cache_config_set_removed(config, NULL, &removals), 0);
	shipopt_cache *cache = test_cache(config);
	/* Nobody has asked for them yet. */
	put(cache, "silent", "value");
	assert_int_equal(shipopt_cache_remove(cache, "silent", 6), 1);
	assert_int_equal(shipopt_queue_enable(queue, SHIPOPT_EVENT_REMOVAL), 0);
	put(cache, "polled", "value");
	assert_int_equal(shipopt_cache_remove(cache, "polled", 6), 1);
	assert_int_equal(shipopt_queue_poll(queue, events, 300, 0), 1);
	assert_int_equal(events[0].kind, SHIPOPT_EVENT_REMOVAL);
	assert_int_equal(events[0].status, SHIPOPT_CACHE_CAUSE_REMOVED);
	assert_true(events[0].userdata == (uint64_t)(uintptr_t)&removals);
	shipopt_value *value = shipopt_removal_value(shipopt_event_removal(&events[0]));
	assert_int_equal(shipopt_value_key_length(value), 6);
	assert_memory_equal(shipopt_value_key(value), "polled", 6);
	assert_memory_equal(shipopt_value_data(value), "value", 5);
	assert_int_equal(shipopt_queue_release(queue, events, 1), 0);
	assert_null(shipopt_removal_value(NULL));
	/* They are bounded: the oldest are dropped. */
	for (int i = 0; i < 300; i++) {
		assert_int_equal(shipopt_cache_put(cache, &i, sizeof(i), "value", 5, NULL), 0);
		assert_int_equal(shipopt_cache_remove(cache, &i, sizeof(i)), 1);
	}
	assert_int_equal(shipopt_queue_dropped(queue), 44);
	assert_int_equal(shipopt_queue_poll(queue, events, 300, 0), 256);
	value = shipopt_removal_value(shipopt_event_removal(&events[0]));
	assert_memory_equal(shipopt_value_key(value), &(int){44}, sizeof(int));
	/* An event keeps its value when the cache is gone. */
	shipopt_cache_free(cache);
	assert_memory_equal(shipopt_value_data(value), "value", 5);
	assert_int_equal(shipopt_queue_release(queue, events, 256), 0);
	shipopt_queue_free(queue);
	assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
	shipopt_runtime_free(runtime);
	assert_int_equal(mem_live_count(), 0);
}

static void a_dispatch_runs_the_removal_callback(void **state)
{
	shipopt_runtime *runtime;
	shipopt_queue *queue;
	pthread_t thread;
	struct removals removals = {0};
	assert_int_equal(shipopt_runtime_new(NULL, &runtime, NULL), 0);
	assert_int_equal(shipopt_queue_new(runtime, 2, &queue), 0);
	shipopt_cache_config *config = test_config();
	assert_int_equal(shipopt_cache_config_set_queue(config, queue), 0);
	assert_int_equal(shipopt_cache_config_set_removed(config, note_removal, &removals), 0);
	shipopt_cache *cache = test_cache(config);
	put(cache, "dispatched", "value");
	assert_int_equal(pthread_create(&thread, NULL, remove_elsewhere, cache), 0);
	pthread_join(thread, NULL);
	assert_int_equal(removals.count, 0);
	assert_int_equal(shipopt_queue_dispatch(queue, 0, 0), 1);
	assert_int_equal(removals.count, 1);
	assert_int_equal(removals.cause, SHIPOPT_CACHE_CAUSE_REMOVED);
	assert_string_equal(removals.key, "dispatched");
	assert_true(pthread_equal(removals.thread, pthread_self()));
	/* What is left when the cache ends is reported, too. */
	put(cache, "left", "value");
	shipopt_cache_free(cache);
	assert_int_equal(shipopt_queue_dispatch(queue, 0, 0), 1);
	assert_int_equal(removals.cause, SHIPOPT_CACHE_CAUSE_CLOSED);
	shipopt_queue_free(queue);
	assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
	shipopt_runtime_free(runtime);
	assert_int_equal(mem_live_count(), 0);
}

static void a_load_cannot_be_requested_without_a_queue(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	shipopt_value *value = NULL;
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_cache_get_or_request(cache, "k", 1, NULL, NULL, NULL, &value, &error), SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(error), "shipopt_cache_config_set_queue()"));
	shipopt_error_unref(error);
	assert_int_equal(shipopt_request_load_complete(NULL, "v", 1, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_request_load_not_found(NULL, NULL), SHIPOPT_EINVAL);
	shipopt_cache_free(cache);
}

static char path[128];

static void read_whole(struct buffer *buffer)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	for (int byte; (byte = fgetc(file)) != EOF;)
		assert_int_equal(buffer_append_byte(buffer, (char)byte), 0);
	fclose(file);
}

static void write_whole(const char *bytes, size_t length)
{
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	fclose(file);
}

static shipopt_cache *filled(void)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_TTL_MS, 0);
	shipopt_cache *cache = test_cache(config);
	shipopt_cache_options *options;
	shipopt_cache_options_new(&options);
	shipopt_cache_options_set_ttl_ms(options, 10000);
	shipopt_cache_options_set_soft_ttl_ms(options, 5000);
	shipopt_cache_options_add_tag(options, "tag");
	shipopt_cache_put(cache, "timed", 5, "value", 5, options);
	shipopt_cache_options_free(options);
	put(cache, "forever", "other value");
	put(cache, "empty", "");
	shipopt_cache_put_not_found(cache, "none", 4, NULL);
	return cache;
}

static void a_saved_cache_is_restored_with_what_is_left_of_its_times(void **state)
{
	shipopt_cache *cache = filled();
	uint64_t count = 0;
	pass_ms(1000);
	assert_int_equal(shipopt_cache_save(cache, path, &count, NULL), 0);
	assert_int_equal(count, 4);
	shipopt_cache_free(cache);
	cache = test_cache(test_config());
	put(cache, "forever", "is newer");
	clock_advance_us(2000000);
	assert_int_equal(shipopt_cache_restore(cache, path, &count, NULL), 0);
	assert_int_equal(count, 3);
	assert_int_equal(get(cache, "forever", "is newer"), SHIPOPT_CACHE_FOUND);
	assert_int_equal(get(cache, "empty", ""), SHIPOPT_CACHE_FOUND);
	assert_int_equal(get(cache, "none", NULL), SHIPOPT_CACHE_NOT_FOUND);
	pass_ms(1999);
	assert_int_equal(get(cache, "timed", "value"), SHIPOPT_CACHE_FOUND);
	pass_ms(1);
	assert_int_equal(get(cache, "timed", "value"), SHIPOPT_CACHE_STALE);
	pass_ms(5000);
	assert_int_equal(get(cache, "timed", NULL), SHIPOPT_CACHE_ABSENT);
	shipopt_cache_clear(cache);
	shipopt_cache_maintain(cache);
	/* Tags come along; what has expired meanwhile does not come at all. */
	assert_int_equal(shipopt_cache_restore(cache, path, &count, NULL), 0);
	assert_int_equal(count, 4);
	shipopt_cache_remove_tag(cache, "tag");
	assert_int_equal(peek(cache, "timed"), SHIPOPT_CACHE_ABSENT);
	shipopt_cache_clear(cache);
	clock_advance_us(20000000);
	assert_int_equal(shipopt_cache_restore(cache, path, &count, NULL), 0);
	assert_int_equal(count, 2);
	shipopt_cache_free(cache);
	unlink(path);
	assert_int_equal(mem_live_count(), 0);
}

/* A file byte by byte, as every machine writes it: least significant byte first. Returns its length. */
static size_t compose(unsigned char *file, const char *version)
{
	static const unsigned char record[] = {1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0,
		0,                            /* key and value length */
		0x10, 0x27, 0, 0, 0, 0, 0, 0, /* 10,000 ms to live */
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'k',
		'1', 'o', 'n', 'e', 0, 1, 0, 0, 0, 0, 0, 0, 0};
	memset(file, 0, 24);
	memcpy(file, "SHPCACHE", 8);
	memcpy(file + 8, version, 4);
	uint64_t wall_ms = (uint64_t)clock_wall_ms();
	for (int i = 0; i < 8; i++)
		file[16 + i] = (unsigned char)(wall_ms >> (8 * i));
	memcpy(file + 24, record, sizeof(record));
	size_t length = 24 + sizeof(record);
	unsigned digest_length;
	assert_int_equal(EVP_Digest(file, length, file + length, &digest_length, EVP_sha256(), NULL), 1);
	return length + digest_length;
}

static void a_file_has_the_same_bytes_on_machines_of_either_byte_order(void **state)
{
	unsigned char file[256];
	clock_set_virtual(true);
	shipopt_cache *cache = test_cache(test_config());
	uint64_t count = 0;
	write_whole((char *)file, compose(file, "\1\0\0"));
	assert_int_equal(shipopt_cache_restore(cache, path, &count, NULL), 0);
	assert_int_equal(count, 1);
	shipopt_value *value;
	assert_int_equal(shipopt_cache_get(cache, "k1", 2, &value), SHIPOPT_CACHE_FOUND);
	assert_memory_equal(shipopt_value_data(value), "one", 3);
	assert_int_equal(shipopt_value_ttl_ms(value, cache), 10000);
	shipopt_value_unref(value);
	/* And so it is written. */
	assert_int_equal(shipopt_cache_save(cache, path, NULL, NULL), 0);
	struct buffer buffer;
	buffer_init(&buffer, 4096);
	read_whole(&buffer);
	assert_int_equal(buffer.length, compose(file, "\1\0\0"));
	file[27] = (unsigned char)buffer.data[27]; /* how often it was read */
	assert_memory_equal(buffer.data, file, buffer.length - 32);
	buffer_done(&buffer);
	/* A version that was written most significant byte first is another version. */
	write_whole((char *)file, compose(file, "\0\0\0\1"));
	assert_int_equal(shipopt_cache_restore(cache, path, &count, NULL), SHIPOPT_EUNSUPPORTED);
	shipopt_cache_free(cache);
	unlink(path);
	clock_set_virtual(false);
	assert_int_equal(mem_live_count(), 0);
}

static void a_file_that_is_not_whole_is_refused_whole(void **state)
{
	shipopt_cache *cache = filled();
	assert_int_equal(shipopt_cache_save(cache, path, NULL, NULL), 0);
	shipopt_cache_free(cache);
	struct buffer buffer;
	buffer_init(&buffer, 1 << 20);
	read_whole(&buffer);
	cache = test_cache(test_config());
	uint64_t count = 77;
	for (size_t length = 0; length < buffer.length; length++) {
		write_whole(buffer.data, length);
		assert_int_equal(shipopt_cache_restore(cache, path, &count, NULL), SHIPOPT_EPARSE);
	}
	for (size_t i = 0; i < buffer.length; i++) {
		buffer.data[i] ^= 0x20;
		write_whole(buffer.data, buffer.length);
		assert_int_equal(shipopt_cache_restore(cache, path, &count, NULL),
			i >= 8 && i < 12 ? SHIPOPT_EUNSUPPORTED : SHIPOPT_EPARSE);
		buffer.data[i] ^= 0x20;
	}
	assert_int_equal(buffer_append_byte(&buffer, 0), 0);
	write_whole(buffer.data, buffer.length);
	assert_int_equal(shipopt_cache_restore(cache, path, &count, NULL), SHIPOPT_EPARSE);
	assert_int_equal(count, 77);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 0);
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_cache_restore(cache, "/nowhere/file", NULL, &error), SHIPOPT_EIO);
	assert_non_null(strstr(shipopt_error_message(error), "/nowhere/file"));
	shipopt_error_unref(error);
	assert_int_equal(shipopt_cache_save(cache, "/nowhere/file", NULL, NULL), SHIPOPT_EIO);
	shipopt_cache_free(cache);
	buffer_done(&buffer);
	unlink(path);
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	snprintf(path, sizeof(path), "%s/shipopt_cache_%d", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp",
		(int)getpid());
	clock_set_virtual(true);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_view_answers_repeated_reads_by_itself),
		cmocka_unit_test(a_memo_computes_once_for_each_list_of_arguments),
		cmocka_unit_test(warming_loads_what_is_absent_with_times_of_its_own),
		cmocka_unit_test(loads_are_requested_as_events_of_a_queue),
		cmocka_unit_test(a_load_cannot_be_requested_without_a_queue),
		cmocka_unit_test(removals_are_notices_of_a_queue),
		cmocka_unit_test(a_dispatch_runs_the_removal_callback),
		cmocka_unit_test(a_saved_cache_is_restored_with_what_is_left_of_its_times),
		cmocka_unit_test(a_file_has_the_same_bytes_on_machines_of_either_byte_order),
		cmocka_unit_test(a_file_that_is_not_whole_is_refused_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
