/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include "orders/source.h"

#include "base/memory.h"
#include "orders/source_config.h"

SETTINGS_PUBLIC_NEW(source)
SETTINGS_PUBLIC_FREE(source)
SETTINGS_PUBLIC(source)

int64_t source_config_number(const shipopt_source_config *config, enum source_setting index)
{
	return config ? settings_number(&config->settings, index) : source_settings.settings[index].default_value;
}

int source_config_check(const shipopt_source_config *config, shipopt_error **ret_error)
{
	return config ? settings_check(&config->settings, ret_error) : 0;
}

int source_new(const struct source_class *class, size_t size, shipopt_source **ret_source)
{
	shipopt_source *source = mem_alloc_zero(size);
	if (!source)
		return SHIPOPT_ENOMEM;
	reference_init(&source->reference);
	source->class = class;
	atomic_init(&source->taken, false);
	atomic_init(&source->expected, -1);
	*ret_source = source;
	return 0;
}

int source_next(shipopt_source *source, shipopt_order **ret_order, shipopt_error **ret_error)
{
	if (source->ended)
		return source->ended > 0 ? SOURCE_END : source->ended;
	int r = source->class->next(source, ret_order, ret_error);
	if (r != SOURCE_ORDER && r != SHIPOPT_EAGAIN)
		source->ended = r < 0 ? r : 1;
	return r;
}

void source_set_wake(shipopt_source *source, void (*wake)(void *argument), void (*room)(void *argument), void *argument)
{
	source->wake = wake;
	source->room = room;
	source->wake_argument = argument;
}

void source_close(shipopt_source *source)
{
	if (source->class->close)
		source->class->close(source);
}

shipopt_source *source_ref(shipopt_source *source)
{
	reference_take(&source->reference);
	return source;
}

void source_unref(shipopt_source *source)
{
	if (!source || !reference_drop(&source->reference))
		return;
	if (source->class->destroy)
		source->class->destroy(source);
	mem_free(source);
}

int64_t source_expected(const shipopt_source *source)
{
	return atomic_load_explicit(&source->expected, memory_order_relaxed);
}

int source_take(shipopt_source *source)
{
	if (atomic_exchange(&source->taken, true))
		return SHIPOPT_ESTATE;
	if (source->class->keeps_host)
		source_ref(source);
	return 0;
}
