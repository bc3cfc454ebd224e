/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include "base/memory.h"
#include "base/unicode.h"
#include "orders/source.h"

struct array_source {
	shipopt_source source;
	shipopt_order **orders; /* those from `at` on are owned */
	size_t count, at;
};

static int array_next(shipopt_source *source, shipopt_order **ret_order, shipopt_error **ret_error)
{
	struct array_source *array = CONTAINER_OF(source, struct array_source, source);
	if (array->at == array->count)
		return SOURCE_END;
	*ret_order = TAKE(array->orders[array->at]);
	array->at++;
	return SOURCE_ORDER;
}

static void array_destroy(shipopt_source *source)
{
	struct array_source *array = CONTAINER_OF(source, struct array_source, source);
	for (size_t i = array->at; i < array->count; i++)
		shipopt_order_free(array->orders[i]);
	mem_free(array->orders);
}

static const struct source_class array_class = {.next = array_next, .destroy = array_destroy};

static int source_array_refuse(const shipopt_order *order, size_t index, shipopt_error **ret_error)
{
	if (!order)
		return error_set(ret_error, SHIPOPT_EINVAL, "source: order %zu of the array is NULL", index);
	return error_set(ret_error, SHIPOPT_ESTATE,
		"source: order %zu of the array, \"%s\", is in it twice, or another source already owns it", index,
		UNICODE_SHOWN(shipopt_order_key(order)));
}

/* Marks every order, so that an order that is in the array twice, or belongs to a source already, is noticed. All or
 * none. */
static int source_array_take_orders(shipopt_order *const *orders, size_t count, shipopt_error **ret_error)
{
	size_t taken = 0;
	while (taken < count && orders[taken] && !orders[taken]->is_taken)
		orders[taken++]->is_taken = true;
	if (taken == count)
		return 0;
	int r = source_array_refuse(orders[taken], taken, ret_error);
	while (taken > 0)
		orders[--taken]->is_taken = false;
	return r;
}

int shipopt_source_new_array(shipopt_order *const *orders, size_t count, shipopt_source **ret_source,
	shipopt_error **ret_error)
{
	if (!ret_source || (count > 0 && !orders))
		return error_set(ret_error, SHIPOPT_EINVAL, "source: orders and ret_source must not be NULL");
	shipopt_order **copy = mem_alloc_array(count, sizeof(*copy));
	if (!copy)
		return SHIPOPT_ENOMEM;
	shipopt_source *source = NULL;
	int r = source_new(&array_class, sizeof(struct array_source), &source);
	r = r < 0 ? r : source_array_take_orders(orders, count, ret_error);
	if (r < 0) {
		mem_free(source);
		mem_free(copy);
		return r;
	}
	struct array_source *array = CONTAINER_OF(source, struct array_source, source);
	for (size_t i = 0; i < count; i++)
		copy[i] = orders[i];
	array->orders = copy;
	array->count = count;
	atomic_store(&source->expected, (int64_t)count);
	*ret_source = source;
	return 0;
}
