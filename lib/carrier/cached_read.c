/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CARRIER
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cache/options.h"
#include "carrier/call_op.h"

/* How a call goes about the cache; the model is in carrier/call_op.h. */

static struct answer_question cached_read_question_of(const struct call_op *self)
{
	return (struct answer_question){
		.identity = self->identity[0] ? self->identity : self->carrier->identity,
		.path = buffer_text(&self->exchange.call.path),
		.content = self->content[0] ? self->content : NULL,
	};
}

static struct call_op *cached_read_owner(struct cached_read *read)
{
	return CONTAINER_OF(read, struct call_op, read);
}

bool cached_read_applies(const struct call_op *self)
{
	struct answer_question question = cached_read_question_of(self);
	if (!self->carrier->cache || self->cache_mode == CALL_CACHE_MODE_NONE)
		return false;
	return (self->content[0] || strcmp(self->exchange.call.method, "GET") == 0) &&
		answer_ttl_ms(self->carrier, &question) > 0;
}

/* ---- an answer that is there ------------------------------------------------------------------------------- */

static void cached_read_answer(struct call_op *self)
{
	struct cached_read *read = &self->read;
	exchange_take_answer(&self->exchange, shipopt_value_data(read->value), shipopt_value_length(read->value));
	shipopt_value_unref(TAKE(read->value));
	if (self->exchange.status == SHIPOPT_EPROTOCOL) {
		/* The application has stored something else there: send a request. */
		exchange_drop_answer(&self->exchange, 0);
		self->op.is_cached = false;
		reactor_post(self->carrier->reactor, &self->start_task);
	} else if (op_needs_reactor(&self->op) && !reactor_is_current(self->carrier->reactor)) {
		reactor_post(self->carrier->reactor, &read->finish_task);
	} else {
		call_op_publish(self);
	}
}

static void cached_read_on_worker(struct task *task)
{
	cached_read_answer(cached_read_owner(CONTAINER_OF(task, struct cached_read, stored_task)));
}

static bool cached_read_is_large(const struct cached_read *read)
{
	return shipopt_value_length(read->value) > EXCHANGE_INLINE_BYTES_MAX;
}

static void cached_read_on_reactor(struct task *task)
{
	struct cached_read *read = CONTAINER_OF(task, struct cached_read, stored_task);
	struct call_op *self = cached_read_owner(read);
	if (cached_read_is_large(read)) {
		read->stored_task.run = cached_read_on_worker;
		runtime_submit_task(self->carrier->runtime, &read->stored_task);
	} else {
		cached_read_answer(self);
	}
}

/* From inside the asynchronous call: inline delivery has to wait for the reactor. */
static void cached_read_from_call(struct call_op *self)
{
	struct cached_read *read = &self->read;
	bool is_inline = op_needs_reactor(&self->op);
	read->stored_task.run = is_inline ? cached_read_on_reactor : cached_read_on_worker;
	if (is_inline)
		reactor_post(self->carrier->reactor, &read->stored_task);
	else if (cached_read_is_large(read))
		runtime_submit_task(self->carrier->runtime, &read->stored_task);
	else
		cached_read_answer(self);
}

/* ---- leading ----------------------------------------------------------------------------------------------- */

bool cached_read_lead_done(struct call_op *self)
{
	struct cached_read *read = &self->read;
	if (self->exchange.owner_invalidates && self->exchange.maybe_sent && self->carrier->cache)
		answer_invalidate_others(self->carrier, &self->exchange, read->load);
	struct answer_question question = cached_read_question_of(self);
	if (read->load)
		answer_store(TAKE(read->load), self->carrier->provider, &question, &self->exchange);
	if (!read->value)
		return true;
	if (self->exchange.status == 0 || self->exchange.is_canceled || self->exchange.status == SHIPOPT_ECANCELED) {
		shipopt_value_unref(TAKE(read->value));
		return true;
	}
	/* The refresh of a stale answer has failed: use the stale one. */
	self->op.is_cached = true;
	cached_read_on_reactor(&read->stored_task);
	return false;
}

/* ---- waiting ----------------------------------------------------------------------------------------------- */

static shipopt_error *cached_read_not_found(const struct call_op *self)
{
	char text[400], code[ANSWER_CODE_BYTES_MAX + 1];
	const shipopt_value *words = self->read.value;
	snprintf(code, sizeof(code), "%.*s", words ? (int)MIN(shipopt_value_length(words), ANSWER_CODE_BYTES_MAX) : 0,
		words ? (const char *)shipopt_value_data(words) : "");
	snprintf(text, sizeof(text), "%s %.160s: HTTP 404%s%s, as an earlier answer said", self->exchange.call.method,
		buffer_text(&self->exchange.call.path), code[0] ? " " : "", code);
	struct error_detail detail = {.code = SHIPOPT_ENOTFOUND,
		.domain = SHIPOPT_DOMAIN_CARRIER,
		.http_status = 404,
		.retry_after_ms = -1,
		.message = text,
		.carrier_code = code[0] ? code : NULL};
	return error_new_detail(&detail);
}

static void cached_read_finish_not_found(struct call_op *self)
{
	shipopt_error *error = cached_read_not_found(self);
	shipopt_value_unref(TAKE(self->read.value));
	self->op.value = 404;
	call_op_finish(self, SHIPOPT_ENOTFOUND, error);
}

/* Drops the result of a notification. */
static void cached_read_drop_result(struct cached_read *read)
{
	shipopt_value_unref(TAKE(read->value));
	shipopt_error_unref(TAKE(read->error));
	if (read->load)
		answer_pass_on(TAKE(read->load));
}

static void cached_read_notified(void *userdata, int outcome, shipopt_value *value, shipopt_load *load,
	const shipopt_error *error)
{
	struct call_op *self = userdata;
	struct cached_read *read = &self->read;
	read->outcome = outcome;
	read->value = shipopt_value_ref(value);
	read->load = load;
	read->error = shipopt_error_ref(error);
	if (atomic_exchange(&read->phase, READ_NOTIFIED) == READ_WAITING) {
		reactor_post(self->carrier->reactor, &read->notified_task);
		return;
	}
	cached_read_drop_result(read);
	atomic_fetch_sub(&self->carrier->pending, 1);
	shipopt_op_unref(&self->op);
}

static void cached_read_notified_on_reactor(struct task *task)
{
	struct cached_read *read = CONTAINER_OF(task, struct cached_read, notified_task);
	struct call_op *self = cached_read_owner(read);
	timer_stop(&read->timer);
	list_remove(&read->node);
	atomic_store(&read->phase, READ_IDLE);
	if (op_is_canceled(&self->op) || self->carrier->is_closing) {
		cached_read_drop_result(read);
		call_op_finish(self, SHIPOPT_ECANCELED, error_new(SHIPOPT_ECANCELED, "canceled; nothing was sent"));
	} else if (read->outcome == SHIPOPT_CACHE_FOUND) {
		cached_read_on_reactor(&read->stored_task);
	} else if (read->outcome == SHIPOPT_CACHE_NOT_FOUND) {
		cached_read_finish_not_found(self);
	} else if (read->outcome == SHIPOPT_CACHE_LEAD) {
		call_op_send(self);
	} else {
		self->op.value = shipopt_error_http_status(read->error);
		call_op_finish(self, read->outcome, TAKE(read->error));
	}
	shipopt_op_unref(&self->op);
}

bool cached_read_leave(struct call_op *self, int status, const char *what)
{
	struct cached_read *read = &self->read;
	int waiting = READ_WAITING;
	list_remove(&read->node);
	if (!atomic_compare_exchange_strong(&read->phase, &waiting, READ_LEFT))
		return false;
	timer_stop(&read->timer);
	shipopt_error *error = NULL;
	error_set(&error, status, "%s %.200s: %s", self->exchange.call.method, buffer_text(&self->exchange.call.path),
		what);
	op_complete(&self->op, status, error); /* counted until it is notified */
	return true;
}

static void cached_read_waited_too_long(struct timer *timer)
{
	struct cached_read *read = CONTAINER_OF(timer, struct cached_read, timer);
	cached_read_leave(cached_read_owner(read), SHIPOPT_ETIMEDOUT,
		"another caller's request for the same answer took too long");
}

static void cached_read_wait_on_reactor(struct task *task)
{
	struct cached_read *read = CONTAINER_OF(task, struct cached_read, wait_task);
	struct call_op *self = cached_read_owner(read);
	shipopt_carrier *carrier = self->carrier;
	int64_t own_ms = self->exchange.timeout_ms;
	int64_t timeout_ms = own_ms ? own_ms : settings_number(&carrier->settings, CARRIER_TIMEOUT_MS);
	if (carrier->is_closing) {
		cached_read_leave(self, SHIPOPT_ECANCELED, "canceled; nothing was sent");
	} else if (atomic_load(&read->phase) == READ_WAITING) {
		list_push_back(&carrier->waiting, &read->node);
		int64_t due_us = clock_now_us() + timeout_ms * 1000, deadline_us = self->exchange.deadline_us;
		timer_start(carrier->reactor, &read->timer, deadline_us ? MIN(due_us, deadline_us) : due_us);
	}
	shipopt_op_unref(&self->op);
}

/* ---- asking the cache -------------------------------------------------------------------------------------- */

static void cached_read_go_on(struct call_op *self, int outcome)
{
	struct cached_read *read = &self->read;
	if (outcome == SHIPOPT_CACHE_NOT_FOUND) {
		self->op.is_cached = true;
		read->outcome = outcome;
		reactor_post(self->carrier->reactor, &read->finish_task);
	} else if (read->value && !read->load) {
		self->op.is_cached = true;
		cached_read_from_call(self);
	} else {
		/* The operation leads. Or the cache has no room for another load, and it runs as without a cache. Or
		 * the last load failed and its back-off (error_backoff_ms of the cache) lasts, and it fails in the same
		 * way. */
		bool has_failed = outcome < 0 && outcome != SHIPOPT_EAGAIN && outcome != SHIPOPT_ENOMEM;
		read->outcome = has_failed ? outcome : 0;
		reactor_post(self->carrier->reactor, has_failed ? &read->finish_task : &self->start_task);
	}
}

static void cached_read_finish_on_reactor(struct task *task)
{
	struct cached_read *read = CONTAINER_OF(task, struct cached_read, finish_task);
	struct call_op *self = cached_read_owner(read);
	if (read->outcome == SHIPOPT_CACHE_NOT_FOUND)
		cached_read_finish_not_found(self);
	else if (read->outcome < 0)
		call_op_finish(self, read->outcome,
			error_new(read->outcome, "an earlier request failed a short time ago; nothing was sent"));
	else
		call_op_publish(self); /* an answer that a worker has read */
}

void cached_read_init(struct call_op *self)
{
	struct cached_read *read = &self->read;
	list_init(&read->node);
	read->timer.fire = cached_read_waited_too_long;
	read->wait_task.run = cached_read_wait_on_reactor;
	read->notified_task.run = cached_read_notified_on_reactor;
	read->stored_task.run = cached_read_on_reactor;
	read->finish_task.run = cached_read_finish_on_reactor;
}

void cached_read_begin(struct call_op *self)
{
	char key[ANSWER_KEY_SIZE];
	struct shipopt_cache_options options;
	shipopt_value *value = NULL;
	shipopt_load *load = NULL;
	shipopt_cache *cache = self->carrier->cache;
	struct answer_question question = cached_read_question_of(self);
	size_t length = answer_key(&question, key);
	answer_options(self->carrier, &question, &options);
	if (self->cache_mode == CALL_CACHE_MODE_REFRESH)
		shipopt_cache_remove(cache, key, length);
	/* Another thread may notify the operation before the look-up returns. */
	atomic_store(&self->read.phase, READ_WAITING);
	shipopt_op_ref(&self->op); /* until it is notified */
	shipopt_op_ref(&self->op); /* the waiting task's */
	int outcome =
		shipopt_cache_get_or_begin(cache, key, length, &options, cached_read_notified, self, &value, &load);
	if (outcome == SHIPOPT_CACHE_WAITING) {
		reactor_post(self->carrier->reactor, &self->read.wait_task);
		return;
	}
	int waiting = READ_WAITING;
	self->read.value = value;
	self->read.load = load;
	if (atomic_compare_exchange_strong(&self->read.phase, &waiting, READ_IDLE)) {
		cached_read_go_on(self, outcome);
	} else { /* canceled before it knew, and over */
		cached_read_drop_result(&self->read);
		atomic_fetch_sub(&self->carrier->pending, 1);
	}
	shipopt_op_unref(&self->op);
	shipopt_op_unref(&self->op);
}

void cached_read_destroy(struct call_op *self)
{
	ASSERT(!self->read.load && !list_is_linked(&self->read.node));
	shipopt_value_unref(self->read.value);
	shipopt_error_unref(self->read.error);
}
