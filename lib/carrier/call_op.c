/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "carrier/exchange.h"
#include "record/record.h"

/*
 * The public calls: an operation around one exchange.
 *
 * The calling thread writes the call (so that bad arguments are refused at once), the reactor runs it. The operation holds a
 * reference to the client until it is destroyed. Calls taken and not finished are counted, which bounds what is posted to the
 * reactor before the lane can see it.
 */
struct shipopt_call_options {
	int64_t timeout_ms;
	char *api_key, *base_url;
};

struct call_op {
	shipopt_op op;
	shipopt_carrier *carrier;
	struct exchange exchange;
	char *authorization, *base_url;
	struct task start_task, cancel_task;
};

static void call_op_destroy(shipopt_op *op)
{
	struct call_op *self = CONTAINER_OF(op, struct call_op, op);
	exchange_clear(&self->exchange);
	mem_free_secret(self->authorization);
	mem_free(self->base_url);
	carrier_unref(self->carrier);
}

static void cancel_on_reactor(struct task *task)
{
	struct call_op *self = CONTAINER_OF(task, struct call_op, cancel_task);
	exchange_cancel(&self->exchange);
	shipopt_op_unref(&self->op);
}

static void call_op_cancel(shipopt_op *op)
{
	struct call_op *self = CONTAINER_OF(op, struct call_op, op);
	shipopt_op_ref(op);
	reactor_post(self->carrier->reactor, &self->cancel_task);
}

static const struct op_class call_op_class = {sizeof(struct call_op), call_op_cancel, call_op_destroy};

static void call_op_finish(struct call_op *self, int status, shipopt_error *error)
{
	atomic_fetch_sub(&self->carrier->pending, 1);
	op_complete(&self->op, status, error);
}

static void exchange_done(struct exchange *exchange)
{
	struct call_op *self = CONTAINER_OF(exchange, struct call_op, exchange);
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

static void start_on_reactor(struct task *task)
{
	struct call_op *self = CONTAINER_OF(task, struct call_op, start_task);
	int r = exchange_start(self->carrier, &self->exchange);
	if (r < 0)
		call_op_finish(self, r, NULL);
}

static int reserve_pending(shipopt_carrier *carrier)
{
	size_t most = (size_t)settings_number(&carrier->settings, CARRIER_QUEUE_MAX) +
		      (size_t)settings_number(&carrier->settings, CARRIER_CONCURRENCY_MAX);
	if (atomic_fetch_add(&carrier->pending, 1) < most)
		return 0;
	atomic_fetch_sub(&carrier->pending, 1);
	return SHIPOPT_EAGAIN;
}

/* Makes the operation with an empty call; the caller writes the call and then starts or abandons it. */
static int call_op_new(shipopt_carrier *carrier, shipopt_done_fn done, void *userdata, shipopt_op **ret_caller,
	struct call_op **ret_self)
{
	shipopt_op *op;
	if (!carrier)
		return SHIPOPT_EINVAL;
	int r = runtime_check(carrier->runtime);
	r = r < 0 ? r : reserve_pending(carrier);
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
	self->exchange.done = exchange_done;
	self->start_task.run = start_on_reactor;
	self->cancel_task.run = cancel_on_reactor;
	*ret_self = self;
	return 0;
}

static int call_op_start(struct call_op *self, int written, shipopt_op **ret_op)
{
	if (written < 0) {
		atomic_fetch_sub(&self->carrier->pending, 1);
		op_abandon(&self->op, ret_op != NULL);
		return written;
	}
	if (ret_op)
		*ret_op = &self->op;
	reactor_post(self->carrier->reactor, &self->start_task);
	return 0;
}

/* ---- options of a raw call --------------------------------------------------------------------------------- */

int shipopt_call_options_new(shipopt_call_options **ret_options)
{
	shipopt_call_options *options = ret_options ? mem_alloc_zero(sizeof(*options)) : NULL;
	if (!options)
		return ret_options ? SHIPOPT_ENOMEM : SHIPOPT_EINVAL;
	*ret_options = options;
	return 0;
}

void shipopt_call_options_free(shipopt_call_options *options)
{
	if (!options)
		return;
	mem_free_secret(options->api_key);
	mem_free(options->base_url);
	mem_free(options);
}

int shipopt_call_options_set_timeout_ms(shipopt_call_options *options, int64_t timeout_ms)
{
	const struct setting *setting = &carrier_settings.settings[CARRIER_TIMEOUT_MS];
	if (!options || (timeout_ms != 0 && (timeout_ms < setting->minimum || timeout_ms > setting->maximum)))
		return SHIPOPT_EINVAL;
	options->timeout_ms = timeout_ms;
	return 0;
}

static int copy_checked(const char *text, int64_t length_max, char **ret_copy)
{
	if (text && ((int64_t)strlen(text) > length_max || strpbrk(text, "\r\n") || text_is_empty(text)))
		return SHIPOPT_EINVAL;
	char *copy = mem_copy_text(text);
	if (text && !copy)
		return SHIPOPT_ENOMEM;
	*ret_copy = copy;
	return 0;
}

int shipopt_call_options_set_api_key(shipopt_call_options *options, const char *key)
{
	char *copy = NULL;
	int r = options ? copy_checked(key, carrier_settings.settings[CARRIER_API_KEY].maximum, &copy) : SHIPOPT_EINVAL;
	if (r < 0)
		return r;
	mem_free_secret(options->api_key);
	options->api_key = copy;
	return 0;
}

int shipopt_call_options_set_base_url(shipopt_call_options *options, const char *url)
{
	char *copy = NULL;
	if (!options || (url && http_check_url(url, NULL) < 0))
		return SHIPOPT_EINVAL;
	int r = copy_checked(url, carrier_settings.settings[CARRIER_BASE_URL].maximum, &copy);
	if (r < 0)
		return r;
	for (size_t length = copy ? strlen(copy) : 0; length && copy[length - 1] == '/'; length--)
		copy[length - 1] = '\0';
	mem_free(options->base_url);
	options->base_url = copy;
	return 0;
}

static int apply_options(struct call_op *self, const shipopt_call_options *options)
{
	if (!options)
		return 0;
	self->exchange.timeout_ms = options->timeout_ms;
	if (options->api_key) {
		self->authorization = carrier_authorization(options->api_key);
		if (!self->authorization)
			return SHIPOPT_ENOMEM;
		self->exchange.authorization = self->authorization;
	}
	if (options->base_url) {
		self->base_url = mem_copy_text(options->base_url);
		if (!self->base_url)
			return SHIPOPT_ENOMEM;
		self->exchange.base_url = self->base_url;
	}
	return 0;
}

/* ---- the raw call ------------------------------------------------------------------------------------------ */

static const char *known_method(const char *method)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (text_equal(method, methods[i]))
			return methods[i];
	return NULL;
}

/* A list endpoint is a collection: one segment, read. Those have a fixed limit of their own. */
static bool is_list(const char *method, const char *path)
{
	return text_equal(method, "GET") && !strchr(path + 1, '/');
}

static bool is_purchase_path(const char *path)
{
	size_t length = strcspn(path, "?");
	return length > 4 && strncmp(path + length - 4, "/buy", 4) == 0;
}

static bool is_plain_path(const char *path)
{
	if (path[0] != '/' || strlen(path) > CALL_PATH_BYTES_MAX)
		return false;
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '#')
			return false;
	return true;
}

static int write_raw(struct call *call, const char *method, const char *path, const char *json)
{
	bool is_get = text_equal(method, "GET");
	call->method = method;
	call->repeat = is_get ? REPEAT_ALWAYS : REPEAT_UNSENT;
	call->is_purchase = !is_get && is_purchase_path(path);
	call->class = call->is_purchase ? LANE_BUY : is_get ? LANE_READ : LANE_CREATE;
	call->endpoint = call->is_purchase ? LANE_ENDPOINT_BUY
			 : is_list(method, path) ? LANE_ENDPOINT_LIST
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
	method = known_method(method);
	if (!method || !path || !is_plain_path(path))
		return SHIPOPT_EINVAL;
	int r = call_op_new(carrier, done, userdata, ret_op, &self);
	if (r < 0)
		return r;
	r = write_raw(&self->exchange.call, method, path, json);
	if (self->exchange.call.is_purchase)
		self->exchange.attempts_max = 1;
	r = r < 0 ? r : apply_options(self, options);
	return call_op_start(self, r, ret_op);
}

/* ---- typed calls ------------------------------------------------------------------------------------------- */

/* Each makes the operation, lets the provider write the call, and starts it. */
#define TYPED_CALL(write)                                                                                     \
	struct call_op *self;                                                                                 \
	int r = call_op_new(carrier, done, userdata, ret_op, &self);                                          \
	if (r < 0)                                                                                            \
		return r;                                                                                     \
	struct call *call = &self->exchange.call;                                                             \
	const struct provider *provider = carrier->provider;                                                  \
	return call_op_start(self, (write), ret_op)

int shipopt_shipment_create(shipopt_carrier *carrier, const shipopt_record *shipment, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	if (shipopt_record_kind(shipment) != SHIPOPT_RECORD_SHIPMENT)
		return SHIPOPT_EINVAL;
	TYPED_CALL(provider->create_shipment(call, shipment));
}

int shipopt_shipment_buy(shipopt_carrier *carrier, const char *shipment_id, const char *rate_id, int64_t insurance,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
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

int shipopt_shipment_retrieve(shipopt_carrier *carrier, const char *shipment_id, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	if (text_is_empty(shipment_id))
		return SHIPOPT_EINVAL;
	TYPED_CALL(provider->retrieve_shipment(call, shipment_id));
}

int shipopt_shipment_rerate(shipopt_carrier *carrier, const char *shipment_id, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	if (text_is_empty(shipment_id))
		return SHIPOPT_EINVAL;
	TYPED_CALL(provider->rerate_shipment(call, shipment_id));
}

int shipopt_shipment_refund(shipopt_carrier *carrier, const char *shipment_id, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	if (text_is_empty(shipment_id))
		return SHIPOPT_EINVAL;
	TYPED_CALL(provider->refund_shipment(call, shipment_id));
}

int shipopt_tracker_create(shipopt_carrier *carrier, const char *tracking_code, const char *carrier_name,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	if (text_is_empty(tracking_code))
		return SHIPOPT_EINVAL;
	TYPED_CALL(provider->create_tracker(call, tracking_code, carrier_name));
}

int shipopt_tracker_retrieve(shipopt_carrier *carrier, const char *tracker_id, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	if (text_is_empty(tracker_id))
		return SHIPOPT_EINVAL;
	TYPED_CALL(provider->retrieve_tracker(call, tracker_id));
}

int shipopt_address_create(shipopt_carrier *carrier, const shipopt_record *address, int verify, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	if (shipopt_record_kind(address) != SHIPOPT_RECORD_ADDRESS || verify < SHIPOPT_VERIFY_NONE ||
		verify > SHIPOPT_VERIFY_STRICT)
		return SHIPOPT_EINVAL;
	TYPED_CALL(provider->create_address(call, address, verify));
}

int shipopt_address_verify(shipopt_carrier *carrier, const char *address_id, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	if (text_is_empty(address_id))
		return SHIPOPT_EINVAL;
	TYPED_CALL(provider->verify_address(call, address_id));
}
