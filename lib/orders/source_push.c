/* SPDX-License-Identifier: MIT */
#include <pthread.h>

#include "base/fault.h"
#include "base/memory.h"
#include "orders/source.h"
#include "orders/source_config.h"

/*
 * A bounded ring between the host's threads, which push, and the run's reader. The ring is allocated whole, so that a push
 * never fails for want of memory. The reader that finds it empty is `waiting` and woken by whatever comes first: an order or
 * the end.
 */
struct push_source {
	shipopt_source source;
	pthread_mutex_t lock; /* the members below, and the wake function of `source` */
	shipopt_order **ring;
	size_t ring_size, first, count;
	bool waiting, finished, closed;
};

static struct push_source *push_of(shipopt_source *source)
{
	return CONTAINER_OF(source, struct push_source, source);
}

/* With the lock held: see source.h. */
static void push_wake(struct push_source *push)
{
	if (!push->waiting)
		return;
	push->waiting = false;
	if (push->source.wake)
		push->source.wake(push->source.wake_argument);
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
	} else if (push->finished || push->closed) {
		r = SOURCE_END;
	} else {
		push->waiting = true;
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
	push->closed = true;
	push->waiting = false;
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
	if (push->closed)
		return SHIPOPT_ECANCELED;
	if (push->finished)
		return SHIPOPT_ESTATE;
	if (push->count == push->ring_size)
		return SHIPOPT_EAGAIN;
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
		order->is_taken = true; /* once it is put, it may be gone at any time */
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
	push->finished = true;
	push_wake(push);
	pthread_mutex_unlock(&push->lock);
	return 0;
}

/* A host that lets go of a push source cannot fill it any more: without the end its run would wait for good. */
void shipopt_source_free(shipopt_source *source)
{
	if (source && source->class == &push_class)
		shipopt_source_finish(source);
	source_unref(source);
}
