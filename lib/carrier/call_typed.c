/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CARRIER
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "carrier/call_op.h"
#include "record/record.h"

/* The calls whose request the provider writes and whose answer becomes a record. */

int call_op_write_shipment(struct call_op *self, const shipopt_record *shipment)
{
	const struct record_field *wish = record_find_wish(shipment);
	if (!wish)
		return self->carrier->provider->create_shipment(&self->exchange.call, shipment);
	return error_set(&self->exchange.error, SHIPOPT_EINVAL,
		"the shipment's \"%s\" says what to buy, and this call must not buy: choose the %s with shipopt_order_set_%s(), or buy "
		"with shipopt_bulk_purchase()",
		wish->key, wish->key, wish->key);
}

/* Makes the operation, lets the provider write the call, and starts it. `advice` is for a call whose outcome is
 * unknown; NULL for a read. */
#define TYPED_CALL(advice, write)                                    \
	struct call_op *self;                                        \
	int r = call_op_new(carrier, done, userdata, ret_op, &self); \
	if (r < 0)                                                   \
		return r;                                            \
	struct carrier_call *call = &self->exchange.call;            \
	const struct provider *provider = carrier->provider;         \
	call->doubt_advice = (advice);                               \
	return call_op_start(self, (write), ret_op)

#define REFUSE(...) return call_op_refuse(carrier, done, userdata, ret_op, __VA_ARGS__)
#define REFUSE_EMPTY(text)       \
	if (text_is_empty(text)) \
	REFUSE("%s: %s must not be %s", __func__, #text, (text) ? "empty" : "NULL")
#define REFUSE_OTHER_RECORD(record, kind)          \
	if (shipopt_record_kind(record) != (kind)) \
	REFUSE("%s: %s must be a record of the kind %s", __func__, #record, #kind)

int shipopt_carrier_shipment_create(shipopt_carrier *carrier, const shipopt_record *shipment, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	REFUSE_OTHER_RECORD(shipment, SHIPOPT_RECORD_SHIPMENT);
	struct call_op *self;
	int r = call_op_new(carrier, done, userdata, ret_op, &self);
	if (r < 0)
		return r;
	self->exchange.call.doubt_advice =
		"Create the shipment again. At worst this leaves a second shipment, which is not paid for.";
	return call_op_start(self, call_op_write_shipment(self, shipment), ret_op);
}

int shipopt_carrier_shipment_buy(shipopt_carrier *carrier, const char *shipment_id, const char *rate_id,
	int64_t insurance, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	struct call_op *self;
	REFUSE_EMPTY(shipment_id);
	REFUSE_EMPTY(rate_id);
	if (insurance < -1)
		REFUSE("%s: insurance is %lld; it must be an amount in millionths, or -1 for none", __func__,
			(long long)insurance);
	int r = call_op_new(carrier, done, userdata, ret_op, &self);
	if (r < 0)
		return r;
	self->exchange.call.doubt_advice =
		"Retrieve the shipment before anything else. If it has a label, it was bought.";
	self->exchange.attempts_max = 1; /* unguarded: not even what was certainly not executed is sent again */
	return call_op_start(self,
		carrier->provider->buy_shipment(&self->exchange.call, shipment_id, rate_id, insurance), ret_op);
}

int shipopt_carrier_shipment_retrieve(shipopt_carrier *carrier, const char *shipment_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	REFUSE_EMPTY(shipment_id);
	TYPED_CALL(NULL, provider->retrieve_shipment(call, shipment_id));
}

int shipopt_carrier_shipment_rerate(shipopt_carrier *carrier, const char *shipment_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	REFUSE_EMPTY(shipment_id);
	TYPED_CALL("Rate the shipment again.", provider->rerate_shipment(call, shipment_id));
}

int shipopt_carrier_shipment_refund(shipopt_carrier *carrier, const char *shipment_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	REFUSE_EMPTY(shipment_id);
	TYPED_CALL("Retrieve the shipment. Its refund_status says whether the refund was requested.",
		provider->refund_shipment(call, shipment_id));
}

/* The same code gives the same tracker, so the answer can be cached like that of a read. */
static int call_typed_write_tracker(struct call_op *self, const char *tracking_code, const char *carrier_name)
{
	struct buffer text;
	buffer_init(&text, BUFFER_LIMIT_DEFAULT);
	int r = buffer_append_format(&text, "%zu:%s:%s", strlen(tracking_code), tracking_code,
		carrier_name ? carrier_name : "");
	r = r < 0 ? r : hash_sha256_hex(text.data, text.length, self->content);
	buffer_done(&text);
	self->exchange.owner_invalidates = true;
	return r < 0 ? r : self->carrier->provider->create_tracker(&self->exchange.call, tracking_code, carrier_name);
}

int shipopt_carrier_tracker_create(shipopt_carrier *carrier, const char *tracking_code, const char *carrier_name,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	REFUSE_EMPTY(tracking_code);
	struct call_op *self;
	int r = call_op_new(carrier, done, userdata, ret_op, &self);
	if (r < 0)
		return r;
	self->exchange.call.doubt_advice = "Create the tracker again. The same code gives the same tracker.";
	return call_op_start(self, call_typed_write_tracker(self, tracking_code, carrier_name), ret_op);
}

int shipopt_carrier_tracker_retrieve(shipopt_carrier *carrier, const char *tracker_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	REFUSE_EMPTY(tracker_id);
	TYPED_CALL(NULL, provider->retrieve_tracker(call, tracker_id));
}

int shipopt_carrier_address_create(shipopt_carrier *carrier, const shipopt_record *address, int verify,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	REFUSE_OTHER_RECORD(address, SHIPOPT_RECORD_ADDRESS);
	if (verify < SHIPOPT_VERIFY_NONE || verify > SHIPOPT_VERIFY_STRICT)
		REFUSE("%s: verify is %d; it must be SHIPOPT_VERIFY_NONE, _SOFT or _STRICT", __func__, verify);
	TYPED_CALL("Create the address again. At worst this leaves a second copy.",
		provider->create_address(call, address, verify));
}

int shipopt_carrier_address_verify(shipopt_carrier *carrier, const char *address_id, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	REFUSE_EMPTY(address_id);
	TYPED_CALL(NULL, provider->verify_address(call, address_id));
}
