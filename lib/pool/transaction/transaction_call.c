/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE

#include "base/memory.h"
#include "pool/transaction/transaction_op.h"

/* The public calls for transactions whose body is the application's: as a request, or on the caller's own thread. */

/* ---- with a request ------------------------------------------------------------------------------------------ */

static void transaction_destroy(shipopt_op *op)
{
	struct transaction_op *transaction = CONTAINER_OF(op, struct transaction_op, command.op);
	transaction_done(transaction);
	command_destroy(&transaction->command);
}

static const struct op_class transaction_op_class = {sizeof(struct transaction_op), command_cancel, transaction_destroy,
	SHIPOPT_DOMAIN_DATABASE};

/* A number that no other owner has, for transactions without an owner. */
static uint64_t transaction_make_owner(void)
{
	static atomic_uint_fast64_t last;
	return (UINT64_C(1) << 63) + atomic_fetch_add(&last, 1);
}

static int transaction_run(shipopt_pool *pool, const struct delivery *delivery,
	const shipopt_transaction_options *options, shipopt_request_fn body, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	struct command *command;
	int r = command_new(&transaction_op_class, &transaction_class, pool, NULL, delivery, done, userdata, ret_op,
		&command);
	if (r < 0)
		return r;
	struct transaction_op *transaction = CONTAINER_OF(command, struct transaction_op, command);
	transaction_init(transaction);
	if (options)
		transaction->options = *options;
	else
		transaction_options_init(&transaction->options);
	if (!transaction->options.owner)
		transaction->options.owner = transaction_make_owner();
	transaction->body = body;
	command->lease->owner = transaction->options.owner;
	lease_copy_name(command->lease->name, transaction->options.name);
	r = delivery_admit(delivery, 1);
	transaction->has_slot = r == 0;
	return command_submit(command, r, ret_op);
}

int shipopt_pool_transaction(shipopt_pool *pool, const shipopt_transaction_options *options, shipopt_request_fn body,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	shipopt_error *error = NULL;
	if (!pool)
		return SHIPOPT_EINVAL;
	if (!body && !delivery_is_queued(&pool->delivery)) {
		error_set(&error, SHIPOPT_EINVAL,
			"the body of a transaction is NULL, and the pool delivers to no queue");
		return op_refuse(pool->runtime, &pool->delivery, done, userdata, ret_op, SHIPOPT_EINVAL, error);
	}
	return transaction_run(pool, &pool->delivery, options, body, done, userdata, ret_op);
}

shipopt_lease *shipopt_request_lease(const shipopt_request *request)
{
	const struct transaction_op *transaction = transaction_of(request);
	return transaction ? transaction->lent : NULL;
}

int shipopt_request_attempt(const shipopt_request *request)
{
	const struct transaction_op *transaction = transaction_of(request);
	return transaction ? transaction->attempt : 0;
}

/* ---- on the caller's thread ---------------------------------------------------------------------------------- */

/* What the event loop passes to the waiting thread. On the stack of that thread: shipopt_op_wait() returns after the
 * last use. */
struct transaction_caller {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	shipopt_request *request;
	bool is_done;
};

static void transaction_caller_tell(struct transaction_caller *caller, shipopt_request *request)
{
	pthread_mutex_lock(&caller->lock);
	if (request)
		caller->request = request;
	else
		caller->is_done = true;
	pthread_cond_signal(&caller->changed);
	pthread_mutex_unlock(&caller->lock);
}

static void transaction_ask_caller(void *userdata, shipopt_request *request)
{
	transaction_caller_tell(userdata, request);
}

static void transaction_caller_done(void *userdata, shipopt_op *op)
{
	transaction_caller_tell(userdata, NULL);
}

static shipopt_request *transaction_caller_wait(struct transaction_caller *caller)
{
	pthread_mutex_lock(&caller->lock);
	while (!caller->request && !caller->is_done)
		pthread_cond_wait(&caller->changed, &caller->lock);
	shipopt_request *request = TAKE(caller->request);
	pthread_mutex_unlock(&caller->lock);
	return request;
}

static void transaction_run_here(shipopt_request *request, shipopt_transaction_fn body, void *userdata)
{
	struct transaction_op *transaction = transaction_of(request);
	uint64_t before = lease_set_thread_owner(transaction->options.owner);
	/* If the transaction has ended already, the lease refuses the commands of the body. */
	int r = body(userdata, transaction->lent, transaction->attempt);
	lease_set_thread_owner(before);
	if (r < 0)
		shipopt_request_fail(request, r, "the body of the transaction failed");
	else
		shipopt_request_complete(request, r);
}

static int transaction_check_caller(shipopt_pool *pool, shipopt_error **ret_error)
{
	if (runtime_is_library_thread() || delivery_is_dispatching(&pool->delivery))
		return error_set(ret_error, SHIPOPT_EDEADLK,
			"a thread of the library, or a callback inside of a dispatch, cannot wait for a transaction");
	return 0;
}

int shipopt_pool_transaction_blocking(shipopt_pool *pool, const shipopt_transaction_options *options,
	shipopt_transaction_fn body, void *userdata, shipopt_error **ret_error)
{
	static const struct delivery inline_delivery = {.mode = DELIVERY_INLINE};
	struct transaction_caller caller = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	shipopt_op *op;
	if (!pool || !body)
		return error_set(ret_error, SHIPOPT_EINVAL, "transaction: pool and body must not be NULL");
	int r = transaction_check_caller(pool, ret_error);
	r = r < 0 ? r
		  : transaction_run(pool, &inline_delivery, options, transaction_ask_caller, transaction_caller_done,
			    &caller, &op);
	if (r < 0)
		return r;
	shipopt_request *request;
	while ((request = transaction_caller_wait(&caller)))
		transaction_run_here(request, body, userdata);
	r = shipopt_op_wait(op, -1);
	if (r < 0 && ret_error && shipopt_op_error(op))
		*ret_error = shipopt_error_ref(shipopt_op_error(op));
	shipopt_op_unref(op);
	pthread_cond_destroy(&caller.changed);
	pthread_mutex_destroy(&caller.lock);
	return r;
}
