/* SPDX-License-Identifier: MIT */
#include "pool/slow.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "pool/batch_op.h"
#include "pool/statement.h"
#include "runtime/notice.h"

#define WINDOW_US INT64_C(60000000)

struct shipopt_slow_query {
	struct queue_entry entry;
	shipopt_pool *pool; /* a reference */
	char *sql, *plan;
	int64_t duration_us;
	struct shipopt_query query; /* text and types, while it is to be explained */
	struct task explain_task;
	shipopt_lease *lease;
};

static const shipopt_slow_query *slow_report_of(struct queue_entry *entry)
{
	return CONTAINER_OF(entry, struct shipopt_slow_query, entry);
}

/* ---- delivery ------------------------------------------------------------------------------------------------ */

static void slow_report_free(struct shipopt_slow_query *report)
{
	shipopt_pool *pool = report->pool;
	query_done(&report->query);
	mem_free(report->sql);
	mem_free(report->plan);
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

/* ---- the plan ------------------------------------------------------------------------------------------------ */

static void slow_explain_end(struct shipopt_slow_query *report)
{
	report->pool->is_explaining = false;
	shipopt_lease_release(TAKE(report->lease));
	slow_deliver(report);
}

static char *slow_read_plan(const shipopt_rows *rows)
{
	struct buffer buffer;
	int r = 0;
	buffer_init(&buffer, EXPLAIN_BYTES_MAX);
	for (size_t i = 0; r == 0 && i < shipopt_rows_count(rows); i++) {
		const char *line = shipopt_rows_text(rows, i, 0);
		r = buffer_append_format(&buffer, "%s%s", i ? "\n" : "", line ? line : "");
	}
	if (r == SHIPOPT_ENOMEM || buffer.length == 0) {
		buffer_done(&buffer);
		return NULL;
	}
	return buffer_take(&buffer); /* cut at the limit */
}

static void slow_explained(void *userdata, shipopt_op *op)
{
	struct shipopt_slow_query *report = userdata;
	const shipopt_rows *rows = shipopt_op_statement_rows(op, 3);
	if (rows && shipopt_op_status(op) == 0)
		report->plan = slow_read_plan(rows);
	slow_explain_end(report);
}

static int slow_add(shipopt_batch *batch, const char *sql)
{
	struct shipopt_query query;
	int r = query_init(&query, sql);
	if (r < 0)
		return r;
	query.is_unnamed = query.is_read_only = true;
	r = shipopt_batch_add(batch, &query);
	query_done(&query);
	return r;
}

static int slow_add_explain(shipopt_batch *batch, const struct shipopt_query *query)
{
	char name[STATEMENT_NAME_SIZE];
	struct buffer sql;
	statement_name(query, name);
	buffer_init(&sql, BUFFER_LIMIT_DEFAULT);
	int r = buffer_append_format(&sql, "EXPLAIN EXECUTE %s", name);
	for (size_t i = 0; r == 0 && i < query->count; i++)
		r = buffer_append_text(&sql, i ? ", NULL" : "(NULL");
	if (r == 0 && query->count)
		r = buffer_append_byte(&sql, ')');
	r = r < 0 ? r : slow_add(batch, buffer_text(&sql));
	buffer_done(&sql);
	return r;
}

static int slow_fill(shipopt_batch *batch, const struct shipopt_query *query)
{
	int r = slow_add(batch, "BEGIN READ ONLY");
	r = r < 0 ? r : slow_add(batch, "SET LOCAL plan_cache_mode = force_generic_plan");
	r = r < 0 ? r : shipopt_batch_add(batch, query); /* only prepared */
	r = r < 0 ? r : slow_add_explain(batch, query);
	r = r < 0 ? r : shipopt_batch_end_group(batch);
	r = r < 0 ? r : slow_add(batch, "ROLLBACK"); /* also after a failure */
	return r < 0 ? r : shipopt_batch_set_timeout_ms(batch, EXPLAIN_TIMEOUT_MS);
}

static int pool_slow_explain(struct shipopt_slow_query *report)
{
	shipopt_batch *batch;
	int r = shipopt_pool_try_acquire(report->pool, "explain", 0, &report->lease);
	r = r < 0 ? r : shipopt_batch_new(&batch);
	if (r < 0)
		return r;
	report->lease->is_internal = true;
	r = slow_fill(batch, &report->query);
	r = r < 0 ? r : batch_run_inline(report->lease, batch, slow_explained, report);
	shipopt_batch_free(batch);
	return r;
}

static void slow_explain_on_reactor(struct task *task)
{
	struct shipopt_slow_query *report = CONTAINER_OF(task, struct shipopt_slow_query, explain_task);
	if (pool_slow_explain(report) < 0)
		slow_explain_end(report);
}

/* With the place taken when there is one. */
static bool slow_may_explain(shipopt_pool *pool, const struct shipopt_query *query)
{
	int64_t now = clock_now_us();
	if (!pool_setting(pool, POOL_SLOW_EXPLAIN) || !query || pool->is_explaining ||
		query->count > EXPLAIN_VALUES_MAX || (query->sql->marks & SQL_ONE_SHOT) ||
		!pool_setting(pool, POOL_NAMED_STATEMENTS))
		return false;
	if (now - pool->explain_window_us >= WINDOW_US || pool->explain_window_us == 0) {
		pool->explain_window_us = now;
		pool->explain_count = 0;
	}
	if (pool->explain_count >= pool_setting(pool, POOL_SLOW_EXPLAIN_PER_MINUTE))
		return false;
	pool->explain_count++;
	pool->is_explaining = true;
	return true;
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

void slow_report(shipopt_pool *pool, const char *sql, const struct shipopt_query *query, int64_t duration_us)
{
	bool has_callback = pool->slow_query != NULL;
	if (delivery_is_queued(&pool->delivery)
			? !notice_is_wanted(pool->delivery.queue, SHIPOPT_EVENT_SLOW_QUERY, has_callback)
			: !has_callback)
		return;
	struct shipopt_slow_query *report = slow_report_new(pool, sql, duration_us);
	if (!report)
		return;
	if (!slow_may_explain(pool, query)) {
		slow_deliver(report);
	} else if (query_copy_types(&report->query, query) < 0) {
		slow_explain_end(report);
	} else {
		report->query.is_prepared_only = true;
		report->explain_task.run = slow_explain_on_reactor;
		reactor_post(pool->reactor,
			&report->explain_task); /* the slow command's own connection may be idle then */
	}
}

const char *shipopt_slow_query_sql(const shipopt_slow_query *report)
{
	return report ? report->sql : NULL;
}

const char *shipopt_slow_query_plan(const shipopt_slow_query *report)
{
	return report ? report->plan : NULL;
}

int64_t shipopt_slow_query_duration_us(const shipopt_slow_query *report)
{
	return report ? report->duration_us : 0;
}
