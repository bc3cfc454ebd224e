/* SPDX-License-Identifier: MIT */
#include "pool/command/slow.h"

#include "base/memory.h"
#include "runtime/notice.h"

struct shipopt_slow_query {
	struct queue_entry entry;
	shipopt_pool *pool; /* a reference */
	char *sql;
	int64_t duration_us;
};

static const shipopt_slow_query *slow_report_of(struct queue_entry *entry)
{
	return CONTAINER_OF(entry, struct shipopt_slow_query, entry);
}

/* ---- delivery ------------------------------------------------------------------------------------------------ */

static void slow_report_free(struct shipopt_slow_query *report)
{
	shipopt_pool *pool = report->pool;
	mem_free(report->sql);
	mem_free(report);
	atomic_fetch_sub(&pool->slow_held, 1);
	pool_unref(pool);
}

static void slow_call_hook(const shipopt_slow_query *report)
{
	if (report->pool->slow_query && runtime_may_call_host(report->pool->runtime))
		report->pool->slow_query(report->pool->slow_userdata, report);
}

static void slow_entry_run(struct queue_entry *entry)
{
	slow_call_hook(slow_report_of(entry));
}

static void slow_entry_finish(struct queue_entry *entry)
{
	slow_report_free(CONTAINER_OF(entry, struct shipopt_slow_query, entry));
}

static void slow_deliver(struct shipopt_slow_query *report)
{
	const struct delivery *delivery = &report->pool->delivery;
	if (!delivery_is_queued(delivery)) {
		slow_call_hook(report);
		slow_report_free(report);
	} else {
		report->entry.has_callback = report->pool->slow_query != NULL;
		report->entry.run = slow_entry_run;
		report->entry.finish = slow_entry_finish;
		report->entry.event =
			(shipopt_event){.kind = SHIPOPT_EVENT_SLOW_QUERY, .value = (uint64_t)(uintptr_t)report};
		notice_push(delivery->queue, &report->entry);
	}
}

/* ---- reports ------------------------------------------------------------------------------------------------- */

static struct shipopt_slow_query *slow_report_new(shipopt_pool *pool, const char *sql, int64_t duration_us)
{
	if (atomic_fetch_add(&pool->slow_held, 1) < SLOW_REPORTS_MAX) {
		struct shipopt_slow_query *report = mem_alloc_zero(sizeof(*report));
		char *copy = mem_copy_text(sql);
		if (report && copy) {
			report->pool = pool_ref(pool);
			report->sql = copy;
			report->duration_us = duration_us;
			return report;
		}
		mem_free(report);
		mem_free(copy);
	}
	atomic_fetch_sub(&pool->slow_held, 1);
	pool_count(pool, SHIPOPT_POOL_STAT_SLOW_DROPPED, 1);
	return NULL;
}

void slow_report(shipopt_pool *pool, const char *sql, int64_t duration_us)
{
	bool has_callback = pool->slow_query != NULL, is_queued = delivery_is_queued(&pool->delivery);
	if (!has_callback &&
		!(is_queued && notice_is_wanted(pool->delivery.queue, SHIPOPT_EVENT_SLOW_QUERY, has_callback)))
		return;
	struct shipopt_slow_query *report = slow_report_new(pool, sql, duration_us);
	if (report)
		slow_deliver(report);
}

const char *shipopt_slow_query_sql(const shipopt_slow_query *report)
{
	return report ? report->sql : NULL;
}

int64_t shipopt_slow_query_duration_us(const shipopt_slow_query *report)
{
	return report ? report->duration_us : 0;
}
