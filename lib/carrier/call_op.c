/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CARRIER
#include "carrier/call_op.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "carrier/quote.h"
#include "record/record.h"

#define REFUSAL_BYTES_MAX 512

static void call_op_destroy(shipopt_op *op)
{
	struct call_op *self = CONTAINER_OF(op, struct call_op, op);
	cached_read_destroy(self);
	exchange_clear(&self->exchange);
	mem_free_secret(self->authorization);
	secret_forms_done(&self->secrets);
	mem_free(self->base_url);
	carrier_unref(self->carrier);
}

static void call_op_cancel_on_reactor(struct task *task)
{
	struct call_op *self = CONTAINER_OF(task, struct call_op, cancel_task);
	if (!cached_read_leave(self, SHIPOPT_ECANCELED, "canceled; nothing was sent"))
		exchange_cancel(&self->exchange);
	shipopt_op_unref(&self->op);
}

static void call_op_cancel(shipopt_op *op)
{
	struct call_op *self = CONTAINER_OF(op, struct call_op, op);
	shipopt_op_ref(op);
	reactor_post(self->carrier->reactor, &self->cancel_task);
}

static const struct op_class call_op_class = {sizeof(struct call_op), call_op_cancel, call_op_destroy,
	SHIPOPT_DOMAIN_CARRIER};

void call_op_finish(struct call_op *self, int status, shipopt_error *error)
{
	atomic_fetch_sub(&self->carrier->pending, 1);
	op_complete(&self->op, status, error);
}

void call_op_publish(struct call_op *self)
{
	struct exchange *exchange = &self->exchange;
	self->op.value = exchange->http_status;
	if (exchange->record) /* without its source, when memory is short, a record is still whole */
		record_keep_source(exchange->record, exchange_answer(exchange));
	self->op.record = TAKE(exchange->record);
	self->op.free_record = shipopt_record_free;
	json_document_free(TAKE(exchange->document)); /* it borrows the bytes that are handed on */
	if (exchange->http.response.length)
		self->op.json = buffer_take(&exchange->http.response);
	call_op_finish(self, exchange->status, TAKE(exchange->error));
}

static void call_op_exchange_done(struct exchange *exchange)
{
	struct call_op *self = CONTAINER_OF(exchange, struct call_op, exchange);
	if (self->is_quote && exchange->status == 0)
		quote_take_rates(exchange);
	if (cached_read_lead_done(self))
		call_op_publish(self);
}

void call_op_send(struct call_op *self)
{
	shipopt_carrier *carrier = self->carrier;
	bool is_canceled = carrier->is_closing || op_is_canceled(&self->op);
	int r = is_canceled ? SHIPOPT_ECANCELED : exchange_start(carrier, &self->exchange);
	if (r == 0)
		return;
	self->exchange.status = r;
	if (cached_read_lead_done(self))
		call_op_finish(self, r, NULL);
}

static void call_op_start_on_reactor(struct task *task)
{
	call_op_send(CONTAINER_OF(task, struct call_op, start_task));
}

static int call_op_reserve_pending(shipopt_carrier *carrier)
{
	size_t pending_max = (size_t)settings_number(&carrier->settings, CARRIER_QUEUE_MAX) +
		(size_t)settings_number(&carrier->settings, CARRIER_CONCURRENCY_MAX);
	if (atomic_fetch_add(&carrier->pending, 1) < pending_max)
		return 0;
	atomic_fetch_sub(&carrier->pending, 1);
	return SHIPOPT_EAGAIN;
}

int64_t call_op_deadline_us(int64_t timeout_ms)
{
	return timeout_ms ? clock_now_us() + timeout_ms * 1000 : 0;
}

int call_op_new(shipopt_carrier *carrier, shipopt_done_fn done, void *userdata, shipopt_op **ret_caller,
	struct call_op **ret_self)
{
	shipopt_op *op;
	if (!carrier)
		return SHIPOPT_EINVAL;
	int r = runtime_check(carrier->runtime);
	r = r < 0 ? r : call_op_reserve_pending(carrier);
	if (r < 0)
		return r;
	r = op_new(&call_op_class, carrier->runtime, &carrier->delivery, done, userdata, ret_caller, &op);
	if (r < 0) {
		atomic_fetch_sub(&carrier->pending, 1);
		return r;
	}
	struct call_op *self = CONTAINER_OF(op, struct call_op, op);
	self->carrier = carrier_ref(carrier);
	exchange_init(&self->exchange);
	self->exchange.done = call_op_exchange_done;
	self->exchange.cancel_is_doubt = true;
	self->exchange.deadline_us = call_op_deadline_us(settings_number(&carrier->settings, CARRIER_CALL_TIMEOUT_MS));
	self->start_task.run = call_op_start_on_reactor;
	self->cancel_task.run = call_op_cancel_on_reactor;
	cached_read_init(self);
	*ret_self = self;
	return 0;
}

int call_op_refuse(shipopt_carrier *carrier, shipopt_done_fn done, void *userdata, shipopt_op **ret_op,
	const char *format, ...)
{
	char message[REFUSAL_BYTES_MAX];
	va_list list;
	if (!carrier)
		return SHIPOPT_EINVAL;
	int r = runtime_check(carrier->runtime);
	if (r < 0)
		return r;
	va_start(list, format);
	vsnprintf(message, sizeof(message), format, list);
	va_end(list);
	return op_refuse(carrier->runtime, &carrier->delivery, done, userdata, ret_op, SHIPOPT_EINVAL,
		error_new(SHIPOPT_EINVAL, message));
}

/* The operation cannot send anything: another one, which has failed, takes its place. */
static int call_op_replace(struct call_op *self, int status, shipopt_op **ret_op)
{
	shipopt_carrier *carrier = self->carrier;
	struct exchange *exchange = &self->exchange;
	shipopt_done_fn done = self->op.done;
	void *userdata = self->op.userdata;
	shipopt_error *error = TAKE(exchange->error);
	if (!error && status != SHIPOPT_ENOMEM)
		error_set(&error, status,
			"%s %.200s: the request is too large: its path may have %d bytes and its body %zu",
			exchange->call.method, buffer_text(&exchange->call.path), CALL_PATH_BYTES_MAX,
			CALL_BODY_BYTES_MAX);
	atomic_fetch_sub(&carrier->pending, 1);
	op_abandon(&self->op, ret_op != NULL);
	if (status != SHIPOPT_ENOMEM)
		return op_refuse(carrier->runtime, &carrier->delivery, done, userdata, ret_op, status, error);
	shipopt_error_unref(error);
	return status;
}

int call_op_start(struct call_op *self, int written, shipopt_op **ret_op)
{
	if (written < 0)
		return call_op_replace(self, written, ret_op);
	if (ret_op)
		*ret_op = &self->op;
	if (cached_read_applies(self))
		cached_read_begin(self);
	else
		reactor_post(self->carrier->reactor, &self->start_task);
	return 0;
}
