/* SPDX-License-Identifier: MIT */
#include "cache/remove.h"

/*
 * shipopt_cache_sweep_pattern(): the pattern is effective from the call on (cache/sweep.h), the walk is a job of the keeper's, a
 * segment of the index in each step. Completed on the reactor, so that every kind of delivery is possible. It cannot be canceled:
 * what the pattern has killed does not come back.
 */
struct sweep_op {
	shipopt_op op;
	struct keeper_job job;
	shipopt_cache *cache; /* a reference, until the walk is over */
	struct keeper *keeper;
	struct sweep *sweep;
	uint64_t ticket, position;
	unsigned shard;
	struct task complete_task;
};

static bool sweep_step(struct keeper_job *job)
{
	struct sweep_op *self = CONTAINER_OF(job, struct sweep_op, job);
	shipopt_cache *cache = self->cache;
	cache_remove_step(cache, &cache->shards[self->shard], &self->sweep->pattern, self->ticket, &self->position);
	if (self->position == 0)
		self->shard++;
	return self->shard < cache->shard_count;
}

static void sweep_complete(struct task *task)
{
	struct sweep_op *self = CONTAINER_OF(task, struct sweep_op, complete_task);
	op_complete(&self->op, 0, NULL);
}

static void sweep_finish(struct keeper_job *job)
{
	struct sweep_op *self = CONTAINER_OF(job, struct sweep_op, job);
	shipopt_cache *cache = self->cache;
	self->op.value = (int64_t)sweeps_end(&self->keeper->sweeps, &cache->tags, self->sweep);
	self->cache = NULL;
	reactor_post(self->keeper->reactor, &self->complete_task);
	cache_unref(cache);
}

static void sweep_destroy(shipopt_op *op)
{
	struct sweep_op *self = CONTAINER_OF(op, struct sweep_op, op);
	if (self->cache)
		cache_unref(self->cache);
}

static const struct op_class sweep_op_class = {sizeof(struct sweep_op), NULL, sweep_destroy, SHIPOPT_DOMAIN_CACHE};

int shipopt_cache_sweep_pattern(shipopt_cache *cache, const char *pattern, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	int r = pattern ? cache_check(cache, pattern, 1) : SHIPOPT_EINVAL;
	if (r < 0)
		return r;
	struct keeper *keeper = cache->keeper;
	if (!keeper)
		return SHIPOPT_ESTATE;
	shipopt_op *op;
	r = op_new(&sweep_op_class, keeper->runtime, &keeper->delivery, done, userdata, ret_op, &op);
	if (r < 0)
		return r;
	struct sweep_op *self = CONTAINER_OF(op, struct sweep_op, op);
	r = sweeps_begin(&keeper->sweeps, &cache->tags, pattern, &self->sweep);
	if (r < 0) {
		op_abandon(op, ret_op != NULL);
		return r;
	}
	self->cache = cache_ref(cache);
	self->keeper = keeper;
	self->ticket = atomic_load(&self->sweep->ticket);
	self->job.step = sweep_step;
	self->job.finish = sweep_finish;
	self->complete_task.run = sweep_complete;
	if (ret_op)
		*ret_op = op;
	keeper_add(keeper, &self->job);
	return 0;
}
