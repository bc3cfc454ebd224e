/* SPDX-License-Identifier: MIT */
#include "lane/lane.h"

#include "base/clock.h"
#include "base/memory.h"
#include "lane/lane_bucket.h"
#include "lane/lane_limit.h"
#include "lane/lane_pause.h"
#include "lane/lane_retry.h"

struct lane {
	struct reactor *reactor;
	struct timer timer; /* the next time somebody may be admitted */
	struct random random;
	struct lane_limit limit;
	struct lane_bucket buckets[LANE_ENDPOINT_COUNT];
	struct lane_breaker breaker;
	struct lane_retry retry;
	struct lane_pause pause;
	/* Of each queue the groups that have tickets in it; the first one's turn it is. */
	struct list_node groups[LANE_CLASS_COUNT][LANE_ENDPOINT_COUNT];
	struct lane_group single; /* of tickets without a group */
	size_t waiting, waiting_max;
	size_t on_wire;
	uint64_t admitted, rate_limited;
};

/* --- waiting --- */

static void lane_queue_push(struct lane *lane, struct lane_ticket *ticket)
{
	struct lane_queue *queue = &ticket->group->queues[ticket->class][ticket->endpoint];
	if (list_is_empty(&queue->waiting)) {
		queue->credit = ticket->group->weight;
		list_push_back(&lane->groups[ticket->class][ticket->endpoint], &queue->node);
	}
	list_push_back(&queue->waiting, &ticket->node);
	ticket->group->count++;
	lane->waiting++;
}

static void lane_queue_remove(struct lane *lane, struct lane_ticket *ticket)
{
	struct lane_queue *queue = &ticket->group->queues[ticket->class][ticket->endpoint];
	list_remove(&ticket->node);
	if (list_is_empty(&queue->waiting))
		list_remove(&queue->node);
	ticket->group->count--;
	lane->waiting--;
}

/* After an admission: the group's turn ends with its credit. */
static void lane_queue_charge(struct lane *lane, const struct lane_ticket *ticket)
{
	struct lane_queue *queue = &ticket->group->queues[ticket->class][ticket->endpoint];
	if (!list_is_linked(&queue->node) || --queue->credit > 0)
		return;
	queue->credit = ticket->group->weight;
	list_remove(&queue->node);
	list_push_back(&lane->groups[ticket->class][ticket->endpoint], &queue->node);
}

static struct lane_ticket *lane_queue_head(struct lane *lane, int class, int endpoint)
{
	struct list_node *node = list_first(&lane->groups[class][endpoint]);
	if (!node)
		return NULL;
	struct lane_queue *queue = LIST_MEMBER(node, struct lane_queue, node);
	return LIST_MEMBER(list_first(&queue->waiting), struct lane_ticket, node);
}

/* Lower goes first. */
static int64_t lane_rank(const struct lane_ticket *ticket, int64_t now_us)
{
	int64_t raised = (now_us - ticket->entered_us) / (LANE_AGING_MS * INT64_C(1000));
	return MAX((int64_t)ticket->class - raised, 0);
}

static bool lane_goes_before(const struct lane_ticket *ticket, const struct lane_ticket *other, int64_t now_us)
{
	int64_t a = lane_rank(ticket, now_us), b = lane_rank(other, now_us);
	return a < b || (a == b && ticket->entered_us < other->entered_us);
}

/* --- admission --- */

static int64_t lane_endpoint_open_us(const struct lane *lane, int endpoint)
{
	return MAX(lane->pause.until_us[endpoint], bucket_open_us(&lane->buckets[endpoint]));
}

/* The next ticket to go, or NULL and when to look again. INT64_MAX: when something happens. */
static struct lane_ticket *lane_pick(struct lane *lane, int64_t now_us, int64_t *ret_wake_us)
{
	struct lane_ticket *best = NULL;
	int64_t wake_us = INT64_MAX;
	for (int endpoint = 0; endpoint < LANE_ENDPOINT_COUNT; endpoint++) {
		int64_t open_us = lane_endpoint_open_us(lane, endpoint);
		for (int class = 0; class < LANE_CLASS_COUNT; class ++) {
			struct lane_ticket *ticket = lane_queue_head(lane, class, endpoint);
			if (!ticket)
				continue;
			if (open_us > now_us)
				wake_us = MIN(wake_us, open_us);
			else if (!best || lane_goes_before(ticket, best, now_us))
				best = ticket;
		}
	}
	*ret_wake_us = wake_us;
	return best;
}

static void lane_admit(struct lane *lane, struct lane_ticket *ticket, int64_t now_us)
{
	lane_queue_remove(lane, ticket);
	lane_queue_charge(lane, ticket);
	bucket_take(&lane->buckets[ticket->endpoint], now_us);
	ticket->is_probe = breaker_take(&lane->breaker);
	ticket->breaker_epoch = lane->breaker.epoch;
	ticket->limit_epoch = lane->limit.epoch;
	ticket->admitted_us = now_us;
	ticket->is_admitted = true;
	lane->on_wire++;
	lane->admitted++;
	ticket->admitted(ticket);
}

/* Admits every ticket that may go, and returns when to look again. Callbacks may enter, leave and withdraw, so nothing
 * is kept across them. Tickets that enter now wait for the next turn, so that callers that leave at once cannot block
 * the loop. */
static int64_t lane_admit_all(struct lane *lane, int64_t now_us)
{
	for (size_t turns = lane->waiting; lane->waiting > 0; turns--) {
		if (turns == 0)
			return now_us;
		int64_t wake_us = MAX(breaker_pass_us(&lane->breaker, now_us), lane->pause.lane_until_us);
		if (wake_us > now_us)
			return wake_us;
		if (lane->on_wire >= limit_get(&lane->limit))
			return INT64_MAX;
		struct lane_ticket *ticket = lane_pick(lane, now_us, &wake_us);
		if (!ticket)
			return wake_us;
		lane_admit(lane, ticket, now_us);
	}
	return INT64_MAX;
}

static void lane_on_time(struct timer *timer)
{
	struct lane *lane = CONTAINER_OF(timer, struct lane, timer);
	int64_t wake_us = lane_admit_all(lane, clock_now_us());
	/* A callback may have started the timer for the next turn. */
	if (wake_us != INT64_MAX && !timer_is_started(&lane->timer))
		timer_start(lane->reactor, &lane->timer, wake_us);
}

/* Looks in the next turn: after an enter there may be room, after a leave a ticket may wait. */
static void lane_look_soon(struct lane *lane)
{
	if (lane->waiting > 0 && lane->on_wire < limit_get(&lane->limit))
		timer_start(lane->reactor, &lane->timer, 0);
}

/* --- tickets --- */

void lane_group_init(struct lane_group *group, uint64_t weight)
{
	*group = (struct lane_group){.weight = MIN(MAX(weight, (uint64_t)1), (uint64_t)LANE_WEIGHT_MAX)};
	for (int class = 0; class < LANE_CLASS_COUNT; class ++) {
		for (int endpoint = 0; endpoint < LANE_ENDPOINT_COUNT; endpoint++) {
			list_init(&group->queues[class][endpoint].node);
			list_init(&group->queues[class][endpoint].waiting);
		}
	}
}

int lane_enter(struct lane *lane, struct lane_ticket *ticket)
{
	ASSERT(!ticket->lane);
	if (lane->waiting >= lane->waiting_max)
		return SHIPOPT_EAGAIN;
	ticket->lane = lane;
	ticket->is_admitted = ticket->is_probe = false;
	ticket->entered_us = clock_now_us();
	if (!ticket->group)
		ticket->group = &lane->single;
	lane_queue_push(lane, ticket);
	lane_look_soon(lane);
	return 0;
}

/* The lane's own group must not outlive it in a ticket that is used again. */
static struct lane *lane_ticket_forget(struct lane_ticket *ticket)
{
	struct lane *lane = TAKE(ticket->lane);
	if (ticket->group == &lane->single)
		ticket->group = NULL;
	ticket->is_admitted = false;
	return lane;
}

void lane_withdraw(struct lane_ticket *ticket)
{
	if (!ticket->lane || ticket->is_admitted)
		return;
	lane_queue_remove(ticket->lane, ticket);
	struct lane *lane = lane_ticket_forget(ticket);
	if (lane->waiting == 0)
		timer_stop(&lane->timer);
}

static enum breaker_outcome lane_breaker_view(enum lane_outcome outcome)
{
	switch (outcome) {
	case LANE_OK: return BREAKER_SUCCESS;
	case LANE_FAILED:
	case LANE_OVERLOADED: return BREAKER_FAILURE;
	case LANE_RATE_LIMITED:
	case LANE_NEUTRAL: break;
	}
	return BREAKER_NEUTRAL;
}

static void lane_rate_limited(struct lane *lane, const struct lane_ticket *ticket, int64_t retry_after_ms,
	int64_t now_us)
{
	unsigned in_a_row = lane->pause.in_a_row[ticket->endpoint];
	int64_t own_us = retry_after_ms < 0 ? retry_delay_us(&lane->retry, &lane->random, in_a_row) : 0;
	pause_rate_limited(&lane->pause, ticket->endpoint, retry_after_ms, own_us, now_us);
	limit_overload(&lane->limit, ticket->limit_epoch);
	lane->rate_limited++;
}

void lane_leave(struct lane_ticket *ticket, enum lane_outcome outcome, int64_t retry_after_ms)
{
	struct lane *lane = ticket->lane;
	int64_t now_us = clock_now_us();
	ASSERT(lane && ticket->is_admitted);
	switch (outcome) {
	case LANE_OK:
		limit_success(&lane->limit, lane->on_wire);
		retry_success(&lane->retry);
		pause_success(&lane->pause, ticket->endpoint);
		break;
	case LANE_OVERLOADED:
		limit_overload(&lane->limit, ticket->limit_epoch);
		pause_asked(&lane->pause, ticket->endpoint, retry_after_ms, now_us);
		break;
	case LANE_RATE_LIMITED: lane_rate_limited(lane, ticket, retry_after_ms, now_us); break;
	case LANE_FAILED:
	case LANE_NEUTRAL: break;
	}
	breaker_give(&lane->breaker, lane_breaker_view(outcome), ticket->breaker_epoch, now_us);
	lane->on_wire--;
	lane_ticket_forget(ticket);
	lane_look_soon(lane);
}

/* --- retries --- */

bool lane_retry_take(struct lane *lane, unsigned attempt, int64_t *ret_delay_us)
{
	if (!retry_take(&lane->retry, clock_now_us()))
		return false;
	*ret_delay_us = retry_delay_us(&lane->retry, &lane->random, attempt);
	return true;
}

int64_t lane_retry_wait_us(struct lane *lane)
{
	/* Jittered, so that those who wait do not all come back for the same token. */
	return retry_wait_us(&lane->retry, clock_now_us()) + retry_delay_us(&lane->retry, &lane->random, 0);
}

/* --- the lane --- */

void lane_options_default(struct lane_options *options)
{
	*options = (struct lane_options){.is_adaptive = true,
		.limit_min = 1,
		.limit_initial = 16,
		.limit_max = 64,
		.tokens_per_second[LANE_ENDPOINT_LIST] = 5,
		.waiting_max = 4096,
		.retry_base_ms = 100,
		.retry_cap_ms = 10000,
		.retry_budget = 500,
		.retry_refill_millis = 100,
		.breaker_window = 100,
		.breaker_outcomes_min = 20,
		.breaker_open_ms = 10000,
		.breaker_probes = 3};
}

int lane_new(struct reactor *reactor, const struct lane_options *options, uint64_t seed, struct lane **ret_lane)
{
	struct lane *lane = mem_alloc_zero(sizeof(*lane));
	if (!lane)
		return SHIPOPT_ENOMEM;
	lane->reactor = reactor;
	lane->timer.fire = lane_on_time;
	lane->waiting_max = MAX(options->waiting_max, (size_t)1);
	random_init(&lane->random, seed);
	limit_init(&lane->limit, options->is_adaptive, options->limit_min, options->limit_initial, options->limit_max);
	for (int endpoint = 0; endpoint < LANE_ENDPOINT_COUNT; endpoint++)
		bucket_init(&lane->buckets[endpoint], options->tokens_per_second[endpoint]);
	retry_init(&lane->retry, options->retry_base_ms, options->retry_cap_ms, options->retry_budget,
		options->retry_refill_millis, clock_now_us());
	for (int class = 0; class < LANE_CLASS_COUNT; class ++)
		for (int endpoint = 0; endpoint < LANE_ENDPOINT_COUNT; endpoint++)
			list_init(&lane->groups[class][endpoint]);
	lane_group_init(&lane->single, 1);
	int64_t open_us = MIN(MAX(options->breaker_open_ms, 1), INT32_MAX) * 1000;
	if (breaker_init(&lane->breaker, (size_t)MAX(options->breaker_window, 1),
		    (size_t)MAX(options->breaker_outcomes_min, 1), open_us,
		    (size_t)MAX(options->breaker_probes, 1)) < 0) {
		mem_free(lane);
		return SHIPOPT_ENOMEM;
	}
	*ret_lane = lane;
	return 0;
}

void lane_free(struct lane *lane)
{
	if (!lane)
		return;
	ASSERT(lane->waiting == 0 && lane->on_wire == 0);
	timer_stop(&lane->timer);
	breaker_done(&lane->breaker);
	mem_free(lane);
}

int64_t lane_breaker_open_us(const struct lane *lane)
{
	return lane->breaker.state == BREAKER_OPEN ? MAX(lane->breaker.until_us - clock_now_us(), 0) : 0;
}

int64_t lane_paused_until_us(const struct lane *lane, enum lane_endpoint endpoint)
{
	return MAX(lane->pause.until_us[endpoint], lane->pause.lane_until_us);
}

enum breaker_state lane_breaker_state(const struct lane *lane)
{
	return lane->breaker.state;
}

const char *lane_obstacle(const struct lane *lane, enum lane_endpoint endpoint)
{
	int64_t now_us = clock_now_us();
	if (lane->breaker.state == BREAKER_OPEN)
		return "the circuit breaker is open, as the carrier keeps failing";
	if (lane->breaker.state == BREAKER_HALF_OPEN)
		return "the circuit breaker waits for its probes, as the carrier kept failing";
	if (lane_paused_until_us(lane, endpoint) > now_us)
		return "the carrier asked for a pause";
	if (bucket_open_us(&lane->buckets[endpoint]) > now_us)
		return "the limit of requests per second is reached";
	return "other calls are before it, and the limit of requests on the wire is reached";
}

void lane_statistics(const struct lane *lane, struct lane_statistics *ret_statistics)
{
	*ret_statistics = (struct lane_statistics){.limit = limit_get(&lane->limit),
		.on_wire = lane->on_wire,
		.waiting = lane->waiting,
		.admitted = lane->admitted,
		.rate_limited = lane->rate_limited,
		.cuts = lane->limit.cuts,
		.breaker_opened = lane->breaker.opened,
		.retries = lane->retry.taken,
		.retries_refused = lane->retry.refused,
		.paused_us = MAX(lane->pause.lane_until_us - clock_now_us(), 0),
		.breaker_is_open = lane->breaker.state == BREAKER_OPEN};
}
