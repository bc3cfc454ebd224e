/* SPDX-License-Identifier: MIT */
#include <shipopt/queue.h>

/* What an event refers to. */

static void *event_value(const shipopt_event *event, uint32_t kind)
{
	return event && event->kind == kind ? (void *)(uintptr_t)event->value : NULL;
}

const struct shipopt_item *shipopt_event_item(const shipopt_event *event)
{
	return event_value(event, SHIPOPT_EVENT_ITEM);
}

shipopt_request *shipopt_event_request(const shipopt_event *event)
{
	return event_value(event, SHIPOPT_EVENT_REQUEST);
}

const struct shipopt_notification *shipopt_event_notification(const shipopt_event *event)
{
	return event_value(event, SHIPOPT_EVENT_NOTIFICATION);
}

const struct shipopt_slow_query *shipopt_event_slow_query(const shipopt_event *event)
{
	return event_value(event, SHIPOPT_EVENT_SLOW_QUERY);
}

const struct shipopt_removal *shipopt_event_removal(const shipopt_event *event)
{
	return event_value(event, SHIPOPT_EVENT_REMOVAL);
}

const char *shipopt_event_log(const shipopt_event *event)
{
	return event_value(event, SHIPOPT_EVENT_LOG);
}
