/* SPDX-License-Identifier: MIT */
#include "runtime/backend_simulated.h"

#include "base/clock.h"
#include "base/memory.h"
#include "runtime/thread.h"

#define DESCRIPTORS_MAX 65536

struct descriptor {
	struct watch *watch;
	unsigned events; /* what the watch asks for */
	unsigned ready;
};

struct simulated_backend {
	struct reactor *reactor;
	struct descriptor *descriptors; /* by number */
	int count;
	pthread_mutex_t lock; /* for `woken` */
	pthread_cond_t changed;
	bool woken;
};

static int simulated_create(struct reactor *reactor, void **ret_backend)
{
	struct simulated_backend *backend = mem_alloc_zero(sizeof(*backend));
	if (!backend)
		return SHIPOPT_ENOMEM;
	backend->reactor = reactor;
	if (condition_init(&backend->changed) < 0) {
		mem_free(backend);
		return SHIPOPT_ENOMEM;
	}
	pthread_mutex_init(&backend->lock, NULL);
	*ret_backend = backend;
	return 0;
}

static void simulated_destroy(void *object)
{
	struct simulated_backend *backend = object;
	pthread_cond_destroy(&backend->changed);
	pthread_mutex_destroy(&backend->lock);
	mem_free(backend->descriptors);
	mem_free(backend);
}

static int backend_simulated_descriptor_find(struct simulated_backend *backend, int fd,
	struct descriptor **ret_descriptor)
{
	if (fd < 0 || fd >= DESCRIPTORS_MAX)
		return SHIPOPT_EIO;
	if (fd >= backend->count) {
		struct descriptor *grown = mem_realloc(backend->descriptors, (size_t)(fd + 1) * sizeof(*grown));
		if (!grown)
			return SHIPOPT_ENOMEM;
		for (int i = backend->count; i <= fd; i++)
			grown[i] = (struct descriptor){0};
		backend->descriptors = grown;
		backend->count = fd + 1;
	}
	*ret_descriptor = &backend->descriptors[fd];
	return 0;
}

static int simulated_add(void *object, struct watch *watch)
{
	struct descriptor *descriptor;
	int r = backend_simulated_descriptor_find(object, watch->fd, &descriptor);
	if (r < 0)
		return r;
	if (descriptor->watch)
		return SHIPOPT_EIO;
	descriptor->watch = watch;
	descriptor->events = watch->events;
	return 0;
}

static int simulated_change(void *object, struct watch *watch, unsigned events)
{
	struct simulated_backend *backend = object;
	backend->descriptors[watch->fd].events = events;
	return 0;
}

static void simulated_remove(void *object, struct watch *watch)
{
	struct simulated_backend *backend = object;
	backend->descriptors[watch->fd].watch = NULL;
	backend->descriptors[watch->fd].events = 0;
}

static bool backend_simulated_take_woken(struct simulated_backend *backend)
{
	pthread_mutex_lock(&backend->lock);
	bool woken = backend->woken;
	backend->woken = false;
	pthread_mutex_unlock(&backend->lock);
	return woken;
}

static void simulated_wait(void *object, int64_t timeout_us)
{
	struct simulated_backend *backend = object;
	bool found = backend_simulated_take_woken(backend);
	for (int i = 0; i < backend->count; i++) {
		struct descriptor *descriptor = &backend->descriptors[i];
		unsigned ready = descriptor->ready & (descriptor->events | REACTOR_ERROR);
		if (ready & REACTOR_ERROR)
			ready |= descriptor->events;
		if (!descriptor->watch || !ready)
			continue;
		reactor_report(backend->reactor, descriptor->watch, ready);
		found = true;
	}
	if (!found && timeout_us > 0 && clock_is_virtual())
		clock_advance_us(timeout_us);
}

static void simulated_wake(void *object)
{
	struct simulated_backend *backend = object;
	pthread_mutex_lock(&backend->lock);
	backend->woken = true;
	pthread_cond_signal(&backend->changed);
	pthread_mutex_unlock(&backend->lock);
}

bool simulated_wait_woken(struct reactor *reactor, int64_t timeout_ms)
{
	struct simulated_backend *backend = reactor_backend(reactor);
	int64_t deadline = condition_deadline(timeout_ms);
	bool in_time = true;
	pthread_mutex_lock(&backend->lock);
	while (!backend->woken && in_time)
		in_time = condition_wait(&backend->changed, &backend->lock, deadline);
	bool woken = backend->woken;
	pthread_mutex_unlock(&backend->lock);
	return woken;
}

int simulated_set_ready(struct reactor *reactor, int fd, unsigned events)
{
	struct descriptor *descriptor;
	int r = backend_simulated_descriptor_find(reactor_backend(reactor), fd, &descriptor);
	if (r < 0)
		return r;
	descriptor->ready = events;
	return 0;
}

const struct reactor_backend_class reactor_backend_simulated = {
	.name = "simulated",
	.create = simulated_create,
	.destroy = simulated_destroy,
	.add = simulated_add,
	.change = simulated_change,
	.remove = simulated_remove,
	.wait = simulated_wait,
	.wake = simulated_wake,
};
