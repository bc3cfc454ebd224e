/* SPDX-License-Identifier: MIT */
#include "carrier/call_op.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "carrier/quote.h"
#include "carrier/spending.h"
#include "record/record.h"

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
	self->start_task.run = call_op_start_on_reactor;
	self->cancel_task.run = call_op_cancel_on_reactor;
	cached_read_init(self);
	*ret_self = self;
	return 0;
}

int call_op_start(struct call_op *self, int written, shipopt_op **ret_op)
{
	if (written < 0) {
		atomic_fetch_sub(&self->carrier->pending, 1);
		op_abandon(&self->op, ret_op != NULL);
		return written;
	}
	if (ret_op)
		*ret_op = &self->op;
	if (self->exchange.status < 0)
		reactor_post(self->carrier->reactor, &self->read.finish_task);
	else if (cached_read_applies(self))
		cached_read_begin(self);
	else
		reactor_post(self->carrier->reactor, &self->start_task);
	return 0;
}

/* ---- the raw call ------------------------------------------------------------------------------------------ */

static const char *call_op_known_method(const char *method)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (text_equal(method, methods[i]))
			return methods[i];
	return NULL;
}

static bool call_op_is_plain_path(const char *path)
{
	if (path[0] != '/' || strlen(path) > CALL_PATH_BYTES_MAX)
		return false;
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '#')
			return false;
	return true;
}

static int call_op_write_raw(struct carrier_call *call, const char *method, const char *path, const char *json)
{
	bool is_get = text_equal(method, "GET");
	int spends = is_get ? 0 : spending_find(path, json);
	if (spends < 0)
		return spends;
	call->method = method;
	call->repeat = is_get ? REPEAT_ALWAYS : REPEAT_UNSENT;
	call->is_purchase = spends;
	call->class = call->is_purchase ? LANE_BUY : is_get ? LANE_READ : LANE_CREATE;
	call->endpoint = call->is_purchase ? LANE_ENDPOINT_BUY
		: blame_endpoint(method, path) == BLAME_ENDPOINT_LIST
		? LANE_ENDPOINT_LIST /* with a fixed limit of its own */
		: is_get ? LANE_ENDPOINT_READ
			 : LANE_ENDPOINT_CREATE;
	call->has_body = json != NULL;
	int r = buffer_append_text(&call->path, path);
	return r == 0 && json ? buffer_append_text(&call->body, json) : r;
}

int shipopt_carrier_call(shipopt_carrier *carrier, const char *method, const char *path, const char *json,
	const shipopt_call_options *options, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	struct call_op *self;
	method = call_op_known_method(method);
	if (!method || !path || !call_op_is_plain_path(path))
		return SHIPOPT_EINVAL;
	int r = call_op_new(carrier, done, userdata, ret_op, &self);
	if (r < 0)
		return r;
	r = call_op_write_raw(&self->exchange.call, method, path, json);
	if (self->exchange.call.is_purchase)
		self->exchange.attempts_max = 1;
	r = r < 0 ? r : call_op_apply(self, options);
	return call_op_start(self, r, ret_op);
}

/* ---- typed calls ------------------------------------------------------------------------------------------- */

int call_op_write_shipment(struct call_op *self, const shipopt_record *shipment)
{
	const struct record_field *wish = record_find_wish(shipment);
	if (!wish)
		return self->carrier->provider->create_shipment(&self->exchange.call, shipment);
	self->exchange.status = error_set(&self->exchange.error, SHIPOPT_EINVAL,
		"the shipment's \"%s\" says what to buy, and this call must not buy: choose the %s with shipopt_order_set_%s(), or buy "
		"with shipopt_bulk_purchase()",
		wish->key, wish->key, wish->key);
	return 0;
}

/* Each makes the operation, lets the provider write the call, and starts it. */
#define TYPED_CALL(write)                                            \
	struct call_op *self;                                        \
	int r = call_op_new(carrier, done, userdata, ret_op, &self); \
	if (r < 0)                                                   \
		return r;                                            \
	struct carrier_call *call = &self->exchange.call;            \
	const struct provider *provider = carrier->provider;         \
	return call_op_start(self, (write), ret_op)

int shipopt_carrier_shipment_create(shipopt_carrier *carrier, const shipopt_record *shipment, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	if (shipopt_record_kind(shipment) != SHIPOPT_RECORD_SHIPMENT)
		return SHIPOPT_EINVAL;
	struct call_op *self;
	int r = call_op_new(carrier, done, userdata, ret_op, &self);
	return r < 0 ? r : call_op_start(self, call_op_write_shipment(self, shipment), ret_op);
}

int shipopt_carrier_shipment_buy(shipopt_carrier *carrier, const char *shipment_id, const char *rate_id,
	int64_t insurance, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	struct call_op *self;
	if (text_is_empty(shipment_id) || text_is_empty(rate_id) || insurance < -1)
		return SHIPOPT_EINVAL;
	int r = call_op_new(carrier, done, userdata, ret_op, &self);
	if (r < 0)
		return r;
	self->exchange.attempts_max = 1; /* unguarded: not even what was certainly not executed is sent again */
	return call_op_start(self,
		carrier->provider->buy_shipment(&self->exchange.call, shipment_id, rate_id, insurance), ret_op);
}

int shipopt_carrier_shipment_retrieve(shipopt_carrier *carrier, const char *shipment_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	if (text_is_empty(shipment_id))
		return SHIPOPT_EINVAL;
	TYPED_CALL(provider->retrieve_shipment(call, shipment_id));
}

int shipopt_carrier_shipment_rerate(shipopt_carrier *carrier, const char *shipment_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	if (text_is_empty(shipment_id))
		return SHIPOPT_EINVAL;
	TYPED_CALL(provider->rerate_shipment(call, shipment_id));
}

int shipopt_carrier_shipment_refund(shipopt_carrier *carrier, const char *shipment_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	if (text_is_empty(shipment_id))
		return SHIPOPT_EINVAL;
	TYPED_CALL(provider->refund_shipment(call, shipment_id));
}

int shipopt_carrier_tracker_create(shipopt_carrier *carrier, const char *tracking_code, const char *carrier_name,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	if (text_is_empty(tracking_code))
		return SHIPOPT_EINVAL;
	TYPED_CALL(provider->create_tracker(call, tracking_code, carrier_name));
}

int shipopt_carrier_tracker_retrieve(shipopt_carrier *carrier, const char *tracker_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	if (text_is_empty(tracker_id))
		return SHIPOPT_EINVAL;
	TYPED_CALL(provider->retrieve_tracker(call, tracker_id));
}

int shipopt_carrier_address_create(shipopt_carrier *carrier, const shipopt_record *address, int verify,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	if (shipopt_record_kind(address) != SHIPOPT_RECORD_ADDRESS || verify < SHIPOPT_VERIFY_NONE ||
		verify > SHIPOPT_VERIFY_STRICT)
		return SHIPOPT_EINVAL;
	TYPED_CALL(provider->create_address(call, address, verify));
}

int shipopt_carrier_address_verify(shipopt_carrier *carrier, const char *address_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	if (text_is_empty(address_id))
		return SHIPOPT_EINVAL;
	TYPED_CALL(provider->verify_address(call, address_id));
}
