/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/memory.h"
#include "runtime/exit.h"
#include "runtime/request.h"
#include "runtime/runtime.h"

#define PATIENCE_MS 20000 /* the bound of waits that only a bug makes long */

static atomic_int done_count;
static atomic_bool done_on_library_thread;

static void count_done(void *userdata, shipopt_op *op)
{
	atomic_store(&done_on_library_thread, runtime_is_library_thread());
	assert_ptr_equal(userdata, &done_count);
	atomic_fetch_add(&done_count, 1);
}

/* An operation that completes when told, or when canceled. */
struct manual_op {
	shipopt_op op;
	atomic_int cancels;
	bool completes_on_cancel;
	bool is_destroyed;
};

static atomic_int destroyed_count;

static void manual_cancel(shipopt_op *op)
{
	struct manual_op *manual = (struct manual_op *)op;
	atomic_fetch_add(&manual->cancels, 1);
	if (manual->completes_on_cancel)
		op_complete(op, SHIPOPT_ECANCELED, NULL);
}

static void manual_destroy(shipopt_op *op)
{
	atomic_fetch_add(&destroyed_count, 1);
}

static const struct op_class manual_class = {sizeof(struct manual_op), manual_cancel, manual_destroy};

static shipopt_op *start(shipopt_runtime *runtime, int mode, shipopt_queue *queue)
{
	shipopt_op *caller = NULL, *op = NULL;
	struct delivery delivery = {.mode = mode, .queue = queue};
	assert_int_equal(op_new(&manual_class, runtime, &delivery, count_done, &done_count, &caller, &op), 0);
	return op;
}

static int begin(void **state)
{
	shipopt_runtime *runtime;
	assert_int_equal(mem_live_count(), 0);
	atomic_store(&done_count, 0);
	atomic_store(&destroyed_count, 0);
	assert_int_equal(shipopt_runtime_new(NULL, &runtime), 0);
	*state = runtime;
	return 0;
}

static int end(void **state)
{
	shipopt_runtime *runtime = *state;
	assert_int_equal(shipopt_runtime_close(runtime, PATIENCE_MS), 0);
	shipopt_runtime_free(runtime);
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

static void results_are_readable_only_when_done(void **state)
{
	shipopt_op *op = start(*state, SHIPOPT_DELIVERY_SCHEDULER, NULL);
	op->value = 7;
	op->json = mem_copy_text("{}");
	assert_int_equal(shipopt_op_status(op), SHIPOPT_EAGAIN);
	assert_int_equal(shipopt_op_is_done(op), 0);
	assert_int_equal(shipopt_op_value(op), 0);
	assert_null(shipopt_op_json(op));
	assert_int_equal(shipopt_op_wait(op, 0), SHIPOPT_ETIMEDOUT);
	op_complete(op, SHIPOPT_EREFUSED, error_new(SHIPOPT_EREFUSED, "no"));
	assert_int_equal(shipopt_op_wait(op, PATIENCE_MS), SHIPOPT_EREFUSED);
	assert_int_equal(atomic_load(&done_count), 1);
	assert_true(atomic_load(&done_on_library_thread));
	assert_int_equal(shipopt_op_value(op), 7);
	assert_string_equal(shipopt_op_json(op), "{}");
	assert_string_equal(shipopt_error_message(shipopt_op_error(op)), "no");
	shipopt_op_unref(op);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(results_are_readable_only_when_done, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
