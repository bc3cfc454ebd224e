/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "orders/source.h"

static shipopt_order *make_order(int number)
{
	char key[32];
	shipopt_order *order = NULL;
	snprintf(key, sizeof(key), "k%d", number);
	assert_int_equal(shipopt_order_new(key, &order, NULL), 0);
	return order;
}

static void orders_check_what_they_are_given(void **state)
{
	shipopt_order *order = NULL, *copy = NULL;
	shipopt_record *record = NULL;
	char text[ORDER_KEY_BYTES_MAX + 2];
	memset(text, 'k', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(shipopt_order_new(NULL, &order, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_order_new("", &order, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_order_new(text, &order, NULL), SHIPOPT_ETOOLARGE);
	assert_int_equal(shipopt_order_new("\xff", &order, NULL), SHIPOPT_EENCODING);
	assert_int_equal(shipopt_order_new("\u00a0\u200b", &order, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_order_new("10\u200b01", &order, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_order_new("a\nb", &order, NULL), SHIPOPT_EINVAL);
	assert_null(order);
	assert_int_equal(shipopt_order_new(text + 1, &order, NULL), 0);
	assert_int_equal(shipopt_order_set_key(order, "a\tb", NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_order_set_key(order, "\xc3", NULL), SHIPOPT_EENCODING);
	assert_string_equal(shipopt_order_key(order), text + 1);
	assert_int_equal(shipopt_order_set_piece(order, 0, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_order_set_piece(order, 10000, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_order_set_piece(order, 9999, NULL), 0);
	assert_int_equal(shipopt_order_set_max_rate(order, -1, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_order_set_max_rate(order, 7, NULL), 0);
	assert_int_equal(shipopt_order_set_service(order, "Ground", NULL), 0);
	assert_int_equal(shipopt_order_set_carrier(order, "UPS", NULL), 0);
	assert_int_equal(shipopt_order_set_tracking_code(order, "1Z", NULL), 0);
	assert_int_equal(shipopt_order_set_shipment(order, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_record_new(SHIPOPT_RECORD_ADDRESS, &record), 0);
	assert_int_equal(shipopt_order_set_shipment(order, record, NULL), SHIPOPT_ETYPE);
	shipopt_record_free(record);
	assert_int_equal(shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &record), 0);
	assert_int_equal(shipopt_order_set_shipment(order, record, NULL), 0);
	assert_int_equal(order_copy(order, &copy), 0);
	shipopt_order_free(order);
	assert_string_equal(copy->service, "Ground");
	assert_string_equal(copy->carrier, "UPS");
	assert_string_equal(copy->tracking_code, "1Z");
	assert_int_equal(copy->piece, 9999);
	assert_int_equal(copy->max_rate, 7);
	assert_int_equal(shipopt_record_kind(shipopt_order_shipment(copy)), SHIPOPT_RECORD_SHIPMENT);
	assert_int_equal(shipopt_order_set_service(copy, NULL, NULL), 0);
	assert_null(copy->service);
	order_reset(copy);
	assert_string_equal(shipopt_order_key(copy), "");
	assert_int_equal(copy->piece, 1);
	shipopt_order_free(copy);
	shipopt_order_free(NULL);
	assert_int_equal(mem_live_count(), 0);
}

static void orders_have_one_spelling_of_their_key(void **state)
{
	static const char *const same[] = {"1001", "1001\u00a0", "\u200b1001", "1001\ufeff", " 1001\r\n"};
	shipopt_order *order = NULL, *copy = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		assert_int_equal(shipopt_order_new(same[i], &order, NULL), 0);
		assert_string_equal(shipopt_order_key(order), "1001");
		shipopt_order_free(order);
	}
	assert_int_equal(shipopt_order_new("Cafe\u0301", &order, NULL), 0);
	assert_string_equal(shipopt_order_key(order), "Caf\u00e9");
	assert_int_equal(order_copy(order, &copy), 0);
	assert_string_equal(shipopt_order_key(copy), "Caf\u00e9");
	shipopt_order_free(order);
	shipopt_order_free(copy);
	/* The bound is that of the key, not of how it was written. */
	char text[ORDER_KEY_BYTES_MAX * 3 / 2 + 8] = "";
	for (int i = 0; i < ORDER_KEY_BYTES_MAX / 2; i++)
		strcat(text, "e\u0301");
	assert_int_equal(shipopt_order_new(text, &order, NULL), 0);
	assert_int_equal(strlen(shipopt_order_key(order)), ORDER_KEY_BYTES_MAX);
	shipopt_order_free(order);
	assert_int_equal(mem_live_count(), 0);
}

static void arrays_give_their_orders_once(void **state)
{
	shipopt_order *orders[3] = {make_order(0), make_order(1), make_order(2)}, *order = NULL, *none = NULL;
	shipopt_source *source = NULL;
	assert_int_equal(shipopt_source_new_array(&none, 1, &source, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_source_new_array(orders, 3, &source, NULL), 0);
	assert_int_equal(source_expected(source), 3);
	assert_int_equal(source_take(source), 0);
	assert_int_equal(source_take(source), SHIPOPT_ESTATE);
	assert_int_equal(source_next(source, &order, NULL), SOURCE_ORDER);
	assert_ptr_equal(order, orders[0]);
	shipopt_order_free(order);
	source_close(source);
	source_unref(source);
	assert_int_equal(shipopt_source_new_array(NULL, 0, &source, NULL), 0);
	assert_int_equal(source_next(source, &order, NULL), SOURCE_END);
	shipopt_source_free(source);
	assert_int_equal(mem_live_count(), 0);
}

struct script {
	const int *results; /* 2: an order without a key */
	size_t at;
};

static int give(void *userdata, shipopt_order *order)
{
	struct script *script = userdata;
	int result = script->results[script->at++];
	int r = result == 1 ? shipopt_order_set_key(order, "k", NULL) : 0;
	return r < 0 ? r : result == 2 ? 1 : result;
}

static void callbacks_end_with_zero_or_an_error(void **state)
{
	shipopt_source *source = NULL;
	shipopt_order *order = NULL;
	shipopt_error *error = NULL;
	struct script results = {.results = (const int[]){1, 2, SHIPOPT_ELIMIT, 1}};
	struct script wrong = {.results = (const int[]){7}}, end = {.results = (const int[]){0, 1}};
	assert_int_equal(shipopt_source_new_callback(NULL, NULL, &source), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_source_new_callback(give, &results, &source), 0);
	assert_int_equal(source_next(source, &order, &error), SOURCE_ORDER);
	assert_string_equal(order->key, "k");
	shipopt_order_free(order);
	assert_int_equal(source_next(source, &order, &error), SOURCE_ORDER);
	assert_int_equal(order->status, SHIPOPT_EINVAL);
	shipopt_order_free(order);
	assert_int_equal(source_next(source, &order, &error), SHIPOPT_ELIMIT);
	assert_non_null(strstr(shipopt_error_message(error), "SHIPOPT_ELIMIT"));
	shipopt_error_unref(error);
	assert_int_equal(source_next(source, &order, NULL), SHIPOPT_ELIMIT);
	shipopt_source_free(source);
	assert_int_equal(shipopt_source_new_callback(give, &wrong, &source), 0);
	assert_int_equal(source_next(source, &order, NULL), SHIPOPT_EINVAL);
	shipopt_source_free(source);
	assert_int_equal(shipopt_source_new_callback(give, &end, &source), 0);
	assert_int_equal(source_next(source, &order, NULL), SOURCE_END);
	assert_int_equal(source_next(source, &order, NULL), SOURCE_END);
	shipopt_source_free(source);
	assert_int_equal(mem_live_count(), 0);
}

static void count_wake(void *argument)
{
	++*(int *)argument;
}

static void a_push_source_is_bounded_and_wakes_once(void **state)
{
	shipopt_source_config *config = NULL;
	shipopt_source *source = NULL;
	shipopt_order *order = NULL, *third = make_order(3);
	int wakes = 0;
	assert_int_equal(shipopt_source_config_new(&config), 0);
	assert_int_equal(shipopt_source_config_set(config, "push_max", "0"), SHIPOPT_EINVAL);
	assert_non_null(shipopt_source_config_error(config));
	assert_int_equal(shipopt_source_new_push(config, &source, NULL), SHIPOPT_EINVAL);
	shipopt_source_config_free(config);
	assert_int_equal(shipopt_source_config_new(&config), 0);
	assert_int_equal(shipopt_source_config_set(config, "push_max", "2"), 0);
	assert_int_equal(shipopt_source_new_push(config, &source, NULL), 0);
	shipopt_source_config_free(config);
	assert_int_equal(shipopt_source_push(source, NULL), SHIPOPT_EINVAL);
	assert_int_equal(source_take(source), 0);
	source_set_wake(source, count_wake, NULL, &wakes);
	assert_int_equal(shipopt_source_push(source, make_order(1)), 0);
	assert_int_equal(shipopt_source_push(source, make_order(2)), 0);
	assert_int_equal(shipopt_source_push(source, third), SHIPOPT_EAGAIN);
	assert_int_equal(wakes, 0); /* nobody waits yet */
	for (int i = 1; i <= 2; i++) {
		char key[16];
		snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(source_next(source, &order, NULL), SOURCE_ORDER);
		assert_string_equal(order->key, key);
		shipopt_order_free(order);
	}
	assert_int_equal(source_next(source, &order, NULL), SHIPOPT_EAGAIN);
	assert_int_equal(shipopt_source_push(source, third), 0);
	assert_int_equal(shipopt_source_push(source, make_order(4)), 0);
	assert_int_equal(wakes, 1);
	assert_int_equal(source_next(source, &order, NULL), SOURCE_ORDER);
	shipopt_order_free(order);
	assert_int_equal(shipopt_source_finish(source), 0);
	assert_int_equal(shipopt_source_push(source, order = make_order(5)), SHIPOPT_ESTATE);
	source_close(source); /* order 4 waits and is freed */
	assert_int_equal(shipopt_source_push(source, order), SHIPOPT_ECANCELED);
	shipopt_order_free(order);
	assert_int_equal(source_next(source, &order, NULL), SHIPOPT_ECANCELED); /* which is not the end of the input */
	source_unref(source);
	shipopt_source_free(source);
	assert_int_equal(wakes, 1);
	assert_int_equal(mem_live_count(), 0);
}

static void a_host_that_lets_go_of_a_push_source_ends_it(void **state)
{
	shipopt_source *source = NULL;
	shipopt_order *order = NULL;
	int wakes = 0;
	assert_int_equal(shipopt_source_new_push(NULL, &source, NULL), 0);
	assert_int_equal(source_take(source), 0);
	source_set_wake(source, count_wake, NULL, &wakes);
	assert_int_equal(source_next(source, &order, NULL), SHIPOPT_EAGAIN);
	shipopt_source_free(source);
	assert_int_equal(wakes, 1);
	assert_int_equal(source_next(source, &order, NULL), SOURCE_END);
	source_unref(source);
	assert_int_equal(mem_live_count(), 0);
}

#define PUSHED_EACH 20000

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int woken;
};

static void open_gate(void *argument)
{
	struct gate *gate = argument;
	pthread_mutex_lock(&gate->lock);
	gate->woken = 1;
	pthread_cond_signal(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

static void *push_many(void *argument)
{
	for (int i = 0; i < PUSHED_EACH; i++) {
		shipopt_order *order = NULL;
		if (shipopt_order_new("k", &order, NULL) < 0)
			abort();
		int r;
		while ((r = shipopt_source_push(argument, order)) == SHIPOPT_EAGAIN)
			sched_yield();
		if (r < 0)
			abort();
	}
	return NULL;
}

static void *finish_both(void *argument)
{
	pthread_t pushers[2];
	for (int i = 0; i < 2; i++)
		if (pthread_create(&pushers[i], NULL, push_many, argument) != 0)
			abort();
	for (int i = 0; i < 2; i++)
		pthread_join(pushers[i], NULL);
	shipopt_source_free(argument);
	return NULL;
}

static void two_threads_push_and_none_is_lost(void **state)
{
	struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
	shipopt_source *source = NULL;
	shipopt_order *order = NULL;
	pthread_t host;
	int count = 0, r;
	assert_int_equal(shipopt_source_new_push(NULL, &source, NULL), 0);
	assert_int_equal(source_take(source), 0);
	source_set_wake(source, open_gate, NULL, &gate);
	assert_int_equal(pthread_create(&host, NULL, finish_both, source), 0);
	while ((r = source_next(source, &order, NULL)) != SOURCE_END) {
		if (r == SOURCE_ORDER) {
			shipopt_order_free(order);
			count++;
			continue;
		}
		assert_int_equal(r, SHIPOPT_EAGAIN);
		pthread_mutex_lock(&gate.lock);
		while (!gate.woken)
			pthread_cond_wait(&gate.changed, &gate.lock);
		gate.woken = 0;
		pthread_mutex_unlock(&gate.lock);
	}
	assert_int_equal(count, 2 * PUSHED_EACH);
	source_close(source);
	assert_int_equal(pthread_join(host, NULL), 0);
	source_unref(source);
	assert_int_equal(mem_live_count(), 0);
}

#ifdef SHIPOPT_FAULTS
static int use_all(shipopt_order *const *orders)
{
	shipopt_source *array = NULL, *push = NULL, *callback = NULL;
	shipopt_source_config *config = NULL;
	shipopt_order *order = NULL, *copy = NULL;
	struct script one = {.results = (const int[]){1, 0}};
	int r = shipopt_source_config_new(&config);
	r = r < 0 ? r : shipopt_source_new_push(config, &push, NULL);
	r = r < 0 ? r : shipopt_source_new_callback(give, &one, &callback);
	r = r < 0 ? r : source_next(callback, &order, NULL);
	r = r < 0 ? r : order_copy(order, &copy);
	r = r < 0 ? r : shipopt_source_push(push, copy);
	copy = r < 0 ? copy : NULL;
	r = r < 0 ? r : shipopt_source_new_array(orders, 1, &array, NULL);
	if (!array)
		shipopt_order_free(orders[0]);
	shipopt_order_free(order);
	shipopt_order_free(copy);
	shipopt_source_free(array);
	shipopt_source_free(push);
	shipopt_source_free(callback);
	shipopt_source_config_free(config);
	return r;
}

static void every_failed_allocation_comes_back_as_an_error(void **state)
{
	for (long passes = 0;; passes++) {
		shipopt_order *order = make_order(1);
		fault_arm(passes);
		int r = use_all(&order);
		bool fired = fault_fired();
		fault_arm(-1);
		assert_int_equal(r, fired ? SHIPOPT_ENOMEM : 0);
		assert_int_equal(mem_live_count(), 0);
		if (!fired) {
			assert_true(passes > 10);
			break;
		}
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_check_what_they_are_given),
		cmocka_unit_test(orders_have_one_spelling_of_their_key),
		cmocka_unit_test(arrays_give_their_orders_once),
		cmocka_unit_test(callbacks_end_with_zero_or_an_error),
		cmocka_unit_test(a_push_source_is_bounded_and_wakes_once),
		cmocka_unit_test(a_host_that_lets_go_of_a_push_source_ends_it),
		cmocka_unit_test(two_threads_push_and_none_is_lost),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(every_failed_allocation_comes_back_as_an_error),
#endif
	};
	return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
