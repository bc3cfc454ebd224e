/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE

#include "pool/listen/listener.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "pool/listen/listen_connection.h"

/* ---- channels -------------------------------------------------------------------------------------------------- */

static int listener_check_name(const char *name, size_t index, shipopt_error **ret_error)
{
	if (text_is_empty(name))
		return error_set(ret_error, SHIPOPT_EINVAL, "listen: channel %zu has no name", index);
	size_t length = strnlen(name, CHANNEL_NAME_SIZE + 1), place = 0;
	if (length >= CHANNEL_NAME_SIZE)
		return error_set(ret_error, SHIPOPT_ETOOLARGE,
			"listen: the name of channel %zu, \"%.63s…\", is longer than %d bytes", index, name,
			CHANNEL_NAME_SIZE - 1);
	if (!text_is_utf8(name, length, &place))
		return error_set(ret_error, SHIPOPT_EENCODING,
			"listen: the name of channel %zu is not UTF-8 at byte %zu", index, place);
	return 0;
}

/* With the lock held. */
static struct listen_channel *listener_find(shipopt_listener *listener, const char *name)
{
	LIST_FOREACH(node, &listener->channels) {
		struct listen_channel *channel = LIST_MEMBER(node, struct listen_channel, node);
		if (strcmp(channel->name, name) == 0)
			return channel;
	}
	return NULL;
}

/* 1, or 0 if it is there already. With the lock held. */
static int listener_add(shipopt_listener *listener, const char *name)
{
	if (listener_find(listener, name))
		return 0;
	if (listener->channel_count == SHIPOPT_LISTENER_CHANNELS_MAX)
		return SHIPOPT_ETOOLARGE;
	struct listen_channel *channel = mem_alloc_zero(sizeof(*channel));
	if (!channel)
		return SHIPOPT_ENOMEM;
	memcpy(channel->name, name, strlen(name) + 1);
	list_push_back(&listener->channels, &channel->node);
	listener->channel_count++;
	listener->has_added = true;
	return 1;
}

bool listener_wants(shipopt_listener *listener, const char *channel)
{
	pthread_mutex_lock(&listener->lock);
	bool wants = listener_find(listener, channel) != NULL;
	pthread_mutex_unlock(&listener->lock);
	return wants;
}

/* ---- what the connection reports ----------------------------------------------------------------------- */

void listener_reset(shipopt_listener *listener)
{
	pthread_mutex_lock(&listener->lock);
	listener->is_live = false;
	LIST_FOREACH(node, &listener->channels)
		LIST_MEMBER(node, struct listen_channel, node)->state = CHANNEL_NEW;
	pthread_mutex_unlock(&listener->lock);
}

void listener_grant(shipopt_listener *listener)
{
	pthread_mutex_lock(&listener->lock);
	LIST_FOREACH(node, &listener->channels) {
		struct listen_channel *channel = LIST_MEMBER(node, struct listen_channel, node);
		if (channel->state == CHANNEL_ASKED)
			channel->state = CHANNEL_ACTIVE;
	}
	pthread_mutex_unlock(&listener->lock);
}

/* With the lock held. */
static bool listener_is_complete(shipopt_listener *listener)
{
	LIST_FOREACH(node, &listener->channels)
		if (LIST_MEMBER(node, struct listen_channel, node)->state != CHANNEL_ACTIVE)
			return false;
	return true;
}

void listener_settle(shipopt_listener *listener)
{
	pthread_mutex_lock(&listener->lock);
	bool tells = listener_is_complete(listener) && (!listener->is_live || listener->has_added);
	if (tells) {
		if (!listener->is_live && listener->has_listened)
			listener_delivery_put_own(listener, SHIPOPT_NOTIFICATION_MISSED);
		if (listener->has_added || !listener->has_listened)
			listener_delivery_put_own(listener, SHIPOPT_NOTIFICATION_LISTENING);
		listener->is_live = listener->has_listened = true;
		listener->has_added = listener->has_failed = false;
	}
	pthread_mutex_unlock(&listener->lock);
	if (tells)
		listener_delivery_wake(listener);
}

void listener_notify(shipopt_listener *listener, const char *name, const char *payload, int backend_pid)
{
	pthread_mutex_lock(&listener->lock);
	struct listen_channel *channel =
		listener->is_live && !listener->is_freed ? listener_find(listener, name) : NULL;
	bool is_taken = channel && channel->state == CHANNEL_ACTIVE;
	if (is_taken)
		listener_delivery_put_message(listener, name, payload, backend_pid);
	pthread_mutex_unlock(&listener->lock);
	if (is_taken)
		listener_delivery_wake(listener);
}

void listener_fail(shipopt_listener *listener, int status, shipopt_error *error)
{
	pthread_mutex_lock(&listener->lock);
	bool tells = !listener->has_failed;
	if (tells) {
		listener->has_failed = true;
		listener->failure = status;
		shipopt_error_unref(TAKE(listener->failure_error));
		listener->failure_error = shipopt_error_ref(error);
		listener_delivery_put_own(listener, SHIPOPT_NOTIFICATION_FAILED);
	}
	pthread_mutex_unlock(&listener->lock);
	if (tells)
		listener_delivery_wake(listener);
}

void listener_end(shipopt_listener *listener, int status)
{
	pthread_mutex_lock(&listener->lock);
	bool tells = !listener->is_ended;
	if (tells) {
		listener->is_ended = true;
		listener->own[SHIPOPT_NOTIFICATION_ENDED].status = status;
		listener->due = 0; /* nothing may follow ENDED */
		listener_delivery_put_own(listener, SHIPOPT_NOTIFICATION_ENDED);
	}
	pthread_mutex_unlock(&listener->lock);
	if (tells)
		listener_delivery_wake(listener);
}

/* ---- changes --------------------------------------------------------------------------------------------------- */

static void listener_change_on_reactor(struct task *task)
{
	shipopt_listener *listener = CONTAINER_OF(task, shipopt_listener, change_task);
	struct listen_connection *listening = listener->pool->listening;
	bool is_torn_down = pool_is_stopped(listener->pool);
	pthread_mutex_lock(&listener->lock);
	listener->is_change_posted = false;
	if (!is_torn_down)
		list_splice_back(&listening->removed, &listener->removed);
	bool is_freed = listener->is_freed;
	pthread_mutex_unlock(&listener->lock);
	if (is_torn_down)
		listener_end(listener, is_freed ? 0 : SHIPOPT_ESHUTDOWN);
	else if (is_freed)
		listen_connection_detach(listening, listener, 0);
	else
		listen_connection_attach(listening, listener);
	listener_unref(listener);
}

/* True if the caller must post the change. With the lock held. */
static bool listener_claim_change(shipopt_listener *listener)
{
	if (listener->is_change_posted)
		return false;
	listener->is_change_posted = true;
	reference_take(&listener->reference);
	return true;
}

/* After the close of the runtime there is no event loop, and no other thread of the library. */
static void listener_post_change(shipopt_listener *listener)
{
	if (!reactor_post_threaded(listener->pool->reactor, &listener->change_task))
		listener_change_on_reactor(&listener->change_task);
}

static void listener_free_channels(struct list_node *list)
{
	struct list_node *node;
	while ((node = list_pop_front(list)))
		mem_free(LIST_MEMBER(node, struct listen_channel, node));
}

static void listener_destroy(shipopt_listener *listener)
{
	shipopt_pool *pool = listener->pool;
	listener_delivery_done(listener);
	listener_free_channels(&listener->channels);
	listener_free_channels(&listener->removed);
	delivery_unreserve(&pool->delivery, LISTENER_SLOTS);
	pthread_mutex_destroy(&listener->lock);
	mem_free(listener);
	pool_unref(pool);
}

void listener_unref(shipopt_listener *listener)
{
	if (reference_drop(&listener->reference))
		listener_destroy(listener);
}

/* ---- public ---------------------------------------------------------------------------------------------------- */

static int listener_new(shipopt_pool *pool, shipopt_listener **ret_listener)
{
	int r = delivery_admit(&pool->delivery, LISTENER_SLOTS);
	if (r < 0)
		return r;
	shipopt_listener *listener = mem_alloc_zero(sizeof(*listener));
	if (!listener) {
		delivery_unreserve(&pool->delivery, LISTENER_SLOTS);
		return SHIPOPT_ENOMEM;
	}
	reference_init(&listener->reference);
	pthread_mutex_init(&listener->lock, NULL);
	list_init(&listener->node);
	list_init(&listener->channels);
	list_init(&listener->removed);
	listener_delivery_init(listener);
	listener->change_task.run = listener_change_on_reactor;
	listener->pool = pool_ref(pool);
	listener->messages_max = (size_t)pool_setting(pool, POOL_NOTIFICATIONS_MAX);
	*ret_listener = listener;
	return 0;
}

static int listener_add_all(shipopt_listener *listener, const char *const *channels, size_t count,
	shipopt_error **ret_error)
{
	int r = 0;
	for (size_t i = 0; i < count && r >= 0; i++) {
		r = listener_check_name(channels[i], i, ret_error);
		r = r < 0 ? r : listener_add(listener, channels[i]);
	}
	return r < 0 ? r : 0;
}

int shipopt_pool_listen(shipopt_pool *pool, const char *const *channels, size_t count, shipopt_listen_fn notified,
	void *userdata, shipopt_listener **ret_listener, shipopt_error **ret_error)
{
	shipopt_listener *listener;
	if (!pool || !ret_listener || (!channels && count) || (!notified && !delivery_is_queued(&pool->delivery)))
		return error_set(ret_error, SHIPOPT_EINVAL,
			"listen: pool, channels, notified and ret_listener must not be NULL");
	if (count > SHIPOPT_LISTENER_CHANNELS_MAX)
		return error_set(ret_error, SHIPOPT_ETOOLARGE, "listen: %zu channels, at most %d", count,
			SHIPOPT_LISTENER_CHANNELS_MAX);
	int r = runtime_check(pool->runtime);
	if (r == 0 && !delivery_is_inline(&pool->delivery))
		r = runtime_start_workers(pool->runtime);
	r = r < 0 ? r : listener_new(pool, &listener);
	if (r < 0)
		return r;
	r = listener_add_all(listener, channels, count, ret_error);
	if (r < 0) {
		listener_unref(listener);
		return r;
	}
	listener->notified = notified;
	listener->userdata = userdata;
	listener_claim_change(listener);
	*ret_listener = listener;
	listener_post_change(listener);
	return 0;
}

static int listener_too_many(shipopt_error **ret_error)
{
	return error_set(ret_error, SHIPOPT_ETOOLARGE, "listen: the listener has %d channels, which is the maximum",
		SHIPOPT_LISTENER_CHANNELS_MAX);
}

int shipopt_listener_add(shipopt_listener *listener, const char *channel, shipopt_error **ret_error)
{
	if (!listener)
		return error_set(ret_error, SHIPOPT_EINVAL, "listen: the listener must not be NULL");
	int r = runtime_check(listener->pool->runtime);
	r = r < 0 ? r : listener_check_name(channel, 0, ret_error);
	if (r < 0)
		return r;
	pthread_mutex_lock(&listener->lock);
	r = listener_add(listener, channel);
	bool posts = r == 1 && listener_claim_change(listener);
	pthread_mutex_unlock(&listener->lock);
	if (posts)
		listener_post_change(listener);
	return r == SHIPOPT_ETOOLARGE ? listener_too_many(ret_error) : r;
}

int shipopt_listener_remove(shipopt_listener *listener, const char *name)
{
	if (!listener || !name)
		return SHIPOPT_EINVAL;
	int r = runtime_check(listener->pool->runtime);
	if (r < 0)
		return r;
	pthread_mutex_lock(&listener->lock);
	struct listen_channel *channel = listener_find(listener, name);
	bool posts = false;
	if (channel) {
		list_remove(&channel->node);
		list_push_back(&listener->removed, &channel->node);
		listener->channel_count--;
		posts = listener_claim_change(listener);
	}
	pthread_mutex_unlock(&listener->lock);
	if (posts)
		listener_post_change(listener);
	return channel ? 0 : SHIPOPT_ENOTFOUND;
}

void shipopt_listener_free(shipopt_listener *listener)
{
	if (!listener || runtime_is_forked(listener->pool->runtime))
		return;
	pthread_mutex_lock(&listener->lock);
	listener->is_freed = true;
	if (!listener->is_ended)
		listener_delivery_clear(listener);
	bool posts = listener_claim_change(listener);
	pthread_mutex_unlock(&listener->lock);
	if (posts)
		listener_post_change(listener);
	listener_unref(listener);
}
