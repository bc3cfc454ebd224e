/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include <pthread.h>

#include "base/fault.h"
#include "base/memory.h"
#include "orders/source.h"
#include "orders/source_config.h"

/*
 * A bounded ring between the application's threads, which push, and the run's reader. The ring is allocated as a whole,
 * so that a push never fails for lack of memory. A reader that finds it empty is `is_waiting`; the next order or the
 * end wakes it, once.
 */
struct push_source {
	shipopt_source source;
	pthread_mutex_t lock; /* for the members below, and the wake function of `source` */
	shipopt_order **ring;
	size_t ring_size, first, count;
	bool is_waiting;
	bool was_refused; /* a push got SHIPOPT_EAGAIN, and `room` was not called since */
	bool is_finished; /* the application pushes no more */
	bool is_closed;   /* the run reads no more */
	bool has_dropped; /* orders were freed unread */
};

static struct push_source *push_of(shipopt_source *source)
{
	return CONTAINER_OF(source, struct push_source, source);
}

/* With the lock held: see source.h. */
static void push_wake(struct push_source *push)
{
	if (!push->is_waiting)
		return;
	push->is_waiting = false;
	if (push->source.wake)
		push->source.wake(push->source.wake_argument);
}

/* The same. */
static void push_tell_room(struct push_source *push)
{
	if (!push->was_refused || !push->source.room)
		return;
	push->was_refused = false;
	push->source.room(push->source.wake_argument);
}

static int push_next(shipopt_source *source, shipopt_order **ret_order, shipopt_error **ret_error)
{
	struct push_source *push = push_of(source);
	int r = SOURCE_ORDER;
	pthread_mutex_lock(&push->lock);
	if (push->count > 0) {
		*ret_order = TAKE(push->ring[push->first]);
		push->first = (push->first + 1) % push->ring_size;
		push->count--;
		push_tell_room(push);
	} else if (push->is_finished && !push->has_dropped) {
		r = SOURCE_END;
	} else if (push->is_closed) {
		r = SHIPOPT_ECANCELED;
	} else {
		push->is_waiting = true;
		r = SHIPOPT_EAGAIN;
	}
	pthread_mutex_unlock(&push->lock);
	return r;
}

static void push_drop_all(struct push_source *push)
{
	for (; push->count > 0; push->count--) {
		shipopt_order_free(TAKE(push->ring[push->first]));
		push->first = (push->first + 1) % push->ring_size;
	}
}

static void push_close(shipopt_source *source)
{
	struct push_source *push = push_of(source);
	pthread_mutex_lock(&push->lock);
	if (!push->is_closed)
		push_tell_room(push); /* the next push gets SHIPOPT_ECANCELED */
	push->is_closed = true;
	push->is_waiting = false;
	push->has_dropped = push->has_dropped || push->count > 0;
	push_drop_all(push);
	pthread_mutex_unlock(&push->lock);
}

static void push_destroy(shipopt_source *source)
{
	struct push_source *push = push_of(source);
	push_drop_all(push);
	mem_free(push->ring);
	pthread_mutex_destroy(&push->lock);
}

static const struct source_class push_class = {.next = push_next,
	.close = push_close,
	.destroy = push_destroy,
	.keeps_host = true};

int shipopt_source_new_push(const shipopt_source_config *config, shipopt_source **ret_source, shipopt_error **ret_error)
{
	if (!ret_source)
		return error_set(ret_error, SHIPOPT_EINVAL, "source: ret_source must not be NULL");
	int r = source_config_check(config, ret_error);
	if (r < 0)
		return r;
	size_t ring_size = (size_t)source_config_number(config, SOURCE_PUSH_MAX);
	shipopt_order **ring = mem_alloc_array(ring_size, sizeof(*ring));
	if (!ring)
		return SHIPOPT_ENOMEM;
	shipopt_source *source = NULL;
	r = source_new(&push_class, sizeof(struct push_source), &source);
	if (r == 0 && (fault_point() || pthread_mutex_init(&push_of(source)->lock, NULL) != 0)) {
		mem_free(source);
		r = SHIPOPT_ENOMEM;
	}
	if (r < 0) {
		mem_free(ring);
		return r;
	}
	push_of(source)->ring = ring;
	push_of(source)->ring_size = ring_size;
	*ret_source = source;
	return 0;
}

static int push_put(struct push_source *push, shipopt_order *order)
{
	if (push->is_closed)
		return SHIPOPT_ECANCELED;
	if (push->is_finished)
		return SHIPOPT_ESTATE;
	if (push->count == push->ring_size) {
		push->was_refused = true;
		return SHIPOPT_EAGAIN;
	}
	push->ring[(push->first + push->count) % push->ring_size] = order;
	push->count++;
	push_wake(push);
	return 0;
}

int shipopt_source_push(shipopt_source *source, shipopt_order *order)
{
	if (!source || !order || source->class != &push_class)
		return SHIPOPT_EINVAL;
	struct push_source *push = push_of(source);
	pthread_mutex_lock(&push->lock);
	int r = order->is_taken ? SHIPOPT_ESTATE : 0;
	if (r == 0) {
		order->is_taken = true; /* before it is put: then it may be freed at any time */
		r = push_put(push, order);
		order = r < 0 ? order : NULL;
		if (order)
			order->is_taken = false;
	}
	pthread_mutex_unlock(&push->lock);
	return r;
}

int shipopt_source_finish(shipopt_source *source)
{
	if (!source || source->class != &push_class)
		return SHIPOPT_EINVAL;
	struct push_source *push = push_of(source);
	pthread_mutex_lock(&push->lock);
	push->is_finished = true;
	push_wake(push);
	pthread_mutex_unlock(&push->lock);
	return 0;
}

/* An application that frees a push source can push no more. Without the end its run would wait for ever. */
void shipopt_source_free(shipopt_source *source)
{
	if (source && source->class == &push_class)
		shipopt_source_finish(source);
	source_unref(source);
}
