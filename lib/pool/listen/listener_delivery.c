/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/memory.h"
#include "pool/listen/listener.h"

/* Passing the notifications of a listener to the application; see listener.h. */

#define DELIVER_AT_ONCE 64

static bool listener_delivery_is_queued(const shipopt_listener *listener)
{
	return delivery_is_queued(&listener->pool->delivery);
}

/* ---- what waits; with the lock held ---------------------------------------------------------------------------- */

static unsigned listener_delivery_bit(int kind)
{
	return 1u << kind;
}

static void listener_delivery_place_due(shipopt_listener *listener)
{
	static const int kinds[] = {SHIPOPT_NOTIFICATION_FAILED, SHIPOPT_NOTIFICATION_MISSED,
		SHIPOPT_NOTIFICATION_LISTENING, SHIPOPT_NOTIFICATION_ENDED};
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int kind = kinds[i];
		struct shipopt_notification *own = &listener->own[kind];
		if (!(listener->due & listener_delivery_bit(kind)) || (listener->used & listener_delivery_bit(kind)))
			continue;
		listener->due &= ~listener_delivery_bit(kind);
		listener->used |= listener_delivery_bit(kind);
		if (kind == SHIPOPT_NOTIFICATION_FAILED) {
			own->status = listener->failure;
			own->error = TAKE(listener->failure_error);
		} else if (kind == SHIPOPT_NOTIFICATION_MISSED) {
			pool_count(listener->pool, SHIPOPT_POOL_STAT_NOTIFICATIONS_MISSED, 1);
		}
		list_push_back(&listener->waiting, &own->node);
	}
}

void listener_delivery_put_own(shipopt_listener *listener, int kind)
{
	listener->due |= listener_delivery_bit(kind);
	listener_delivery_place_due(listener);
}

static struct shipopt_notification *listener_delivery_message_new(const char *channel, const char *payload,
	int backend_pid)
{
	size_t channel_size = strlen(channel) + 1, payload_size = strlen(payload) + 1;
	struct shipopt_notification *message = mem_alloc_zero(sizeof(*message) + channel_size + payload_size);
	if (!message)
		return NULL;
	char *text = (char *)(message + 1);
	message->kind = SHIPOPT_NOTIFICATION_MESSAGE;
	message->backend_pid = backend_pid;
	message->channel = memcpy(text, channel, channel_size);
	message->payload = memcpy(text + channel_size, payload, payload_size);
	return message;
}

static void listener_delivery_put_gap(shipopt_listener *listener)
{
	struct shipopt_notification *missed = &listener->own[SHIPOPT_NOTIFICATION_MISSED];
	pool_count(listener->pool, SHIPOPT_POOL_STAT_NOTIFICATIONS_DROPPED, 1);
	if (listener->waiting.previous != &missed->node) /* otherwise it is the same gap */
		listener_delivery_put_own(listener, SHIPOPT_NOTIFICATION_MISSED);
}

void listener_delivery_put_message(shipopt_listener *listener, const char *channel, const char *payload,
	int backend_pid)
{
	bool has_room = listener->message_count < listener->messages_max &&
		!(listener->due & listener_delivery_bit(SHIPOPT_NOTIFICATION_MISSED));
	struct shipopt_notification *message =
		has_room ? listener_delivery_message_new(channel, payload, backend_pid) : NULL;
	if (!message) {
		listener_delivery_put_gap(listener);
		return;
	}
	listener->message_count++;
	list_push_back(&listener->waiting, &message->node);
}

static struct shipopt_notification *listener_delivery_take(shipopt_listener *listener)
{
	struct list_node *node = list_pop_front(&listener->waiting);
	struct shipopt_notification *notification = node ? LIST_MEMBER(node, struct shipopt_notification, node) : NULL;
	if (notification && notification->kind == SHIPOPT_NOTIFICATION_MESSAGE)
		listener->message_count--;
	return notification;
}

static void listener_delivery_give_back(shipopt_listener *listener, struct shipopt_notification *notification)
{
	if (notification->kind == SHIPOPT_NOTIFICATION_MESSAGE) {
		mem_free(notification);
		return;
	}
	shipopt_error_unref(TAKE(notification->error));
	listener->used &= ~listener_delivery_bit(notification->kind);
	listener_delivery_place_due(listener);
}

void listener_delivery_clear(shipopt_listener *listener)
{
	struct shipopt_notification *notification;
	listener->due = 0;
	while ((notification = listener_delivery_take(listener)))
		listener_delivery_give_back(listener, notification);
}

static void listener_delivery_notify(shipopt_listener *listener, const shipopt_notification *notification)
{
	if (listener->notified && runtime_may_call_host(listener->pool->runtime))
		listener->notified(listener->userdata, notification);
}

/* ---- by a task ------------------------------------------------------------------------------------------------- */

static void listener_delivery_deliver(struct task *task);

static void listener_delivery_submit(shipopt_listener *listener)
{
	shipopt_pool *pool = listener->pool;
	delivery_submit(&pool->delivery, pool->runtime, pool->reactor, &listener->deliver_task);
}

static void listener_delivery_deliver(struct task *task)
{
	shipopt_listener *listener = CONTAINER_OF(task, shipopt_listener, deliver_task);
	for (int i = 0; i < DELIVER_AT_ONCE; i++) {
		pthread_mutex_lock(&listener->lock);
		struct shipopt_notification *notification = listener_delivery_take(listener);
		listener->is_delivering = notification != NULL;
		pthread_mutex_unlock(&listener->lock);
		if (!notification) {
			listener_unref(listener);
			return;
		}
		listener_delivery_notify(listener, notification);
		pthread_mutex_lock(&listener->lock);
		listener_delivery_give_back(listener, notification);
		pthread_mutex_unlock(&listener->lock);
	}
	listener_delivery_submit(listener);
}

/* ---- by a queue --------------------------------------------------------------------------------------- */

static void listener_delivery_slot_run(struct queue_entry *entry)
{
	struct listener_slot *slot = CONTAINER_OF(entry, struct listener_slot, entry);
	listener_delivery_notify(slot->listener, slot->notification);
}

static void listener_delivery_slot_finish(struct queue_entry *entry)
{
	struct listener_slot *slot = CONTAINER_OF(entry, struct listener_slot, entry);
	shipopt_listener *listener = slot->listener;
	pthread_mutex_lock(&listener->lock);
	listener_delivery_give_back(listener, TAKE(slot->notification));
	pthread_mutex_unlock(&listener->lock);
	listener_delivery_wake(listener);
	listener_unref(listener);
}

static struct listener_slot *listener_delivery_free_slot(shipopt_listener *listener)
{
	for (size_t i = 0; i < LISTENER_SLOTS; i++)
		if (!listener->slots[i].notification)
			return &listener->slots[i];
	return NULL;
}

/* With the lock held, which is released for each push. One thread at a time pushes, so that the order stays. It also
 * pushes what other threads add in the meantime. */
static void listener_delivery_push_all(shipopt_listener *listener)
{
	struct listener_slot *slot;
	if (listener->is_delivering)
		return;
	listener->is_delivering = true;
	while ((slot = listener_delivery_free_slot(listener)) &&
		(slot->notification = listener_delivery_take(listener))) {
		slot->entry.event = (shipopt_event){
			.userdata = (uint64_t)(uintptr_t)listener->userdata,
			.status = slot->notification->status,
			.kind = SHIPOPT_EVENT_NOTIFICATION,
			.value = (uint64_t)(uintptr_t)slot->notification,
		};
		slot->entry.has_callback = listener->notified != NULL;
		reference_take(&listener->reference);
		pthread_mutex_unlock(&listener->lock);
		deliver(&listener->pool->delivery, listener->pool->runtime, listener->pool->reactor, &slot->entry);
		pthread_mutex_lock(&listener->lock);
	}
	listener->is_delivering = false;
}

void listener_delivery_wake(shipopt_listener *listener)
{
	bool submits = false;
	pthread_mutex_lock(&listener->lock);
	if (listener_delivery_is_queued(listener)) {
		listener_delivery_push_all(listener);
	} else if (!listener->is_delivering && !list_is_empty(&listener->waiting)) {
		listener->is_delivering = submits = true;
		reference_take(&listener->reference);
	}
	pthread_mutex_unlock(&listener->lock);
	if (submits)
		listener_delivery_submit(listener);
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

void listener_delivery_init(shipopt_listener *listener)
{
	list_init(&listener->waiting);
	listener->deliver_task.run = listener_delivery_deliver;
	for (int kind = 0; kind <= SHIPOPT_NOTIFICATION_ENDED; kind++) {
		listener->own[kind] = (struct shipopt_notification){.kind = kind, .channel = "", .payload = ""};
		list_init(&listener->own[kind].node);
	}
	for (size_t i = 0; i < LISTENER_SLOTS; i++)
		listener->slots[i] = (struct listener_slot){.listener = listener,
			.entry = {.run = listener_delivery_slot_run,
				.finish = listener_delivery_slot_finish,
				.keeps_slot = true}};
}

void listener_delivery_done(shipopt_listener *listener)
{
	listener_delivery_clear(listener);
	shipopt_error_unref(TAKE(listener->failure_error));
}

/* ---- public ---------------------------------------------------------------------------------------------------- */

int shipopt_notification_kind(const shipopt_notification *notification)
{
	return notification ? notification->kind : SHIPOPT_EINVAL;
}

const char *shipopt_notification_channel(const shipopt_notification *notification)
{
	return notification ? notification->channel : "";
}

const char *shipopt_notification_payload(const shipopt_notification *notification)
{
	return notification ? notification->payload : "";
}

int shipopt_notification_backend_pid(const shipopt_notification *notification)
{
	return notification ? notification->backend_pid : 0;
}

int shipopt_notification_status(const shipopt_notification *notification)
{
	return notification ? notification->status : SHIPOPT_EINVAL;
}

const shipopt_error *shipopt_notification_error(const shipopt_notification *notification)
{
	return notification ? notification->error : NULL;
}
