/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include "orders/order.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/unicode.h"

int order_new_empty(shipopt_order **ret_order)
{
	shipopt_order *order = mem_alloc_zero(sizeof(*order));
	if (!order)
		return SHIPOPT_ENOMEM;
	order->piece = 1;
	*ret_order = order;
	return 0;
}

int shipopt_order_new(const char *key, shipopt_order **ret_order, shipopt_error **ret_error)
{
	if (!ret_order)
		return error_set(ret_error, SHIPOPT_EINVAL, "order: ret_order must not be NULL");
	shipopt_order *order CLEANUP_ORDER = NULL;
	int r = order_new_empty(&order);
	if (r == 0)
		r = shipopt_order_set_key(order, key, ret_error);
	if (r < 0)
		return r;
	*ret_order = TAKE(order);
	return 0;
}

void order_reset(shipopt_order *order)
{
	mem_free(order->key);
	shipopt_record_free(order->shipment);
	mem_free(order->tracking_code);
	mem_free(order->service);
	mem_free(order->carrier);
	mem_free(order->input);
	shipopt_error_unref(order->error);
	*order = (shipopt_order){.piece = 1};
}

void shipopt_order_free(shipopt_order *order)
{
	if (!order)
		return;
	order_reset(order);
	mem_free(order);
}

/* ---- fields ------------------------------------------------------------------------------------------------ */

int order_set_key(shipopt_order *order, const char *text, shipopt_error **ret_error)
{
	char *key CLEANUP_FREE = NULL;
	int r = unicode_key(text, strlen(text), &key, ret_error);
	if (r < 0)
		return r;
	if (strlen(key) > ORDER_KEY_BYTES_MAX)
		return error_set(ret_error, SHIPOPT_ETOOLARGE, "the key has %zu bytes, the limit is %d", strlen(key),
			ORDER_KEY_BYTES_MAX);
	mem_free(order->key);
	order->key = TAKE(key);
	return 0;
}

static int order_null(shipopt_error **ret_error)
{
	return error_set(ret_error, SHIPOPT_EINVAL, "order: the order must not be NULL");
}

int shipopt_order_set_key(shipopt_order *order, const char *key, shipopt_error **ret_error)
{
	if (!order)
		return order_null(ret_error);
	if (!key)
		return error_set(ret_error, SHIPOPT_EINVAL, "order: the key must not be NULL");
	return order_set_key(order, key, ret_error);
}

int shipopt_order_set_shipment(shipopt_order *order, shipopt_record *shipment, shipopt_error **ret_error)
{
	if (!order)
		return order_null(ret_error);
	if (!shipment)
		return error_set(ret_error, SHIPOPT_EINVAL, "order: the shipment must not be NULL");
	if (shipopt_record_kind(shipment) != SHIPOPT_RECORD_SHIPMENT)
		return error_set(ret_error, SHIPOPT_ETYPE, "order: the record is of kind %d, not a shipment",
			shipopt_record_kind(shipment));
	if (order->shipment != shipment)
		shipopt_record_free(order->shipment);
	order->shipment = shipment;
	return 0;
}

/* NULL and "" make the field empty. */
static int order_set_text(char **field, const char *name, const char *text, shipopt_error **ret_error)
{
	size_t length = text ? strlen(text) : 0, bad;
	if (length > ORDER_TEXT_BYTES_MAX)
		return error_set(ret_error, SHIPOPT_ETOOLARGE, "order: %s has %zu bytes, the limit is %d", name, length,
			ORDER_TEXT_BYTES_MAX);
	if (length > 0 && !text_is_utf8(text, length, &bad))
		return error_set(ret_error, SHIPOPT_EENCODING, "order: %s is not UTF-8: byte 0x%02x at offset %zu",
			name, (unsigned)(unsigned char)text[bad], bad);
	char *copy = length > 0 ? mem_copy_bytes(text, length) : NULL;
	if (length > 0 && !copy)
		return SHIPOPT_ENOMEM;
	mem_free(*field);
	*field = copy;
	return 0;
}

int shipopt_order_set_tracking_code(shipopt_order *order, const char *code, shipopt_error **ret_error)
{
	return order ? order_set_text(&order->tracking_code, "tracking_code", code, ret_error) : order_null(ret_error);
}

int shipopt_order_set_service(shipopt_order *order, const char *service, shipopt_error **ret_error)
{
	return order ? order_set_text(&order->service, "service", service, ret_error) : order_null(ret_error);
}

int shipopt_order_set_carrier(shipopt_order *order, const char *carrier, shipopt_error **ret_error)
{
	return order ? order_set_text(&order->carrier, "carrier", carrier, ret_error) : order_null(ret_error);
}

int shipopt_order_set_max_rate(shipopt_order *order, int64_t millionths, shipopt_error **ret_error)
{
	if (!order)
		return order_null(ret_error);
	if (millionths < 0)
		return error_set(ret_error, SHIPOPT_EINVAL, "order: max_rate %lld is below 0", (long long)millionths);
	order->max_rate = millionths;
	return 0;
}

static int order_set_number(int64_t *field, const char *name, int64_t number, int64_t min, int64_t max,
	shipopt_error **ret_error)
{
	if (number < min || number > max)
		return error_set(ret_error, SHIPOPT_EINVAL, "order: %s %lld is not between %lld and %lld", name,
			(long long)number, (long long)min, (long long)max);
	*field = number;
	return 0;
}

int shipopt_order_set_piece(shipopt_order *order, int64_t piece, shipopt_error **ret_error)
{
	return order ? order_set_number(&order->piece, "piece", piece, 1, ORDER_PIECE_MAX, ret_error)
		     : order_null(ret_error);
}

int shipopt_order_set_generation(shipopt_order *order, int64_t generation, shipopt_error **ret_error)
{
	return order
		? order_set_number(&order->generation, "generation", generation, 0, ORDER_GENERATION_MAX, ret_error)
		: order_null(ret_error);
}

const char *shipopt_order_key(const shipopt_order *order)
{
	return order && order->key ? order->key : "";
}

const shipopt_record *shipopt_order_shipment(const shipopt_order *order)
{
	return order ? order->shipment : NULL;
}

static int order_copy_text(char **to, const char *from)
{
	*to = mem_copy_text(from);
	return from && !*to ? SHIPOPT_ENOMEM : 0;
}

int order_copy(const shipopt_order *order, shipopt_order **ret_copy)
{
	shipopt_order *copy CLEANUP_ORDER = NULL;
	int r = order_new_empty(&copy);
	r = r < 0 ? r : order_copy_text(&copy->key, order->key);
	r = r < 0 ? r : order_copy_text(&copy->tracking_code, order->tracking_code);
	r = r < 0 ? r : order_copy_text(&copy->service, order->service);
	r = r < 0 ? r : order_copy_text(&copy->carrier, order->carrier);
	r = r < 0 ? r : order_copy_text(&copy->input, order->input);
	r = r < 0 || !order->shipment ? r : shipopt_record_copy(order->shipment, &copy->shipment);
	if (r < 0)
		return r;
	copy->max_rate = order->max_rate;
	copy->piece = order->piece;
	copy->generation = order->generation;
	copy->line = order->line;
	copy->index = order->index;
	copy->status = order->status;
	copy->error = shipopt_error_ref(order->error);
	*ret_copy = TAKE(copy);
	return 0;
}

/* ---- service and carrier inside the shipment ------------------------------------------------------------------- */

/* Moves a text of the shipment to the order's own `field`. */
static int order_adopt_text(shipopt_order *order, int shipment_field, char **field)
{
	const char *name = shipopt_field_name(SHIPOPT_RECORD_SHIPMENT, shipment_field),
		   *text = shipopt_record_text(order->shipment, shipment_field);
	size_t length = text ? strlen(text) : 0;
	if (text)
		text_trim(&text, &length);
	char *inside CLEANUP_FREE = length > 0 ? mem_copy_bytes(text, length) : NULL;
	if (length > 0 && !inside)
		return SHIPOPT_ENOMEM;
	if (length > ORDER_TEXT_BYTES_MAX)
		order->status = error_set(&order->error, SHIPOPT_ETOOLARGE,
			"the shipment's \"%s\" has %zu bytes, the limit is %d", name, length, ORDER_TEXT_BYTES_MAX);
	else if (inside && *field && !text_equal_ignore_case(inside, *field))
		order->status = error_set(&order->error, SHIPOPT_EINVAL,
			"the order asks for %s \"%s\", its shipment for %s \"%s\": give one of them", name, *field,
			name, inside);
	else if (inside && !*field)
		*field = TAKE(inside);
	return shipopt_record_clear(order->shipment, shipment_field, NULL);
}

int order_adopt_service(shipopt_order *order)
{
	int r = 0;
	if (order->status == 0 && order->shipment)
		r = order_adopt_text(order, SHIPOPT_SHIPMENT_SERVICE, &order->service);
	if (r == 0 && order->status == 0 && order->shipment)
		r = order_adopt_text(order, SHIPOPT_SHIPMENT_CARRIER, &order->carrier);
	return r;
}
