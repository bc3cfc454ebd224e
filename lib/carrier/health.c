/* SPDX-License-Identifier: MIT */
#include "carrier/health.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"

const struct health_carrier *health_find(const struct health *health, const char *carrier)
{
	for (size_t i = 0; i < health->count; i++)
		if (text_equal_ignore_case(health->carriers[i].name, carrier))
			return &health->carriers[i];
	return NULL;
}

static struct health_carrier *health_find_or_add(struct health *health, const char *carrier)
{
	struct health_carrier *found = (struct health_carrier *)health_find(health, carrier);
	if (found || text_is_empty(carrier) || strlen(carrier) >= HEALTH_NAME_SIZE)
		return found;
	if (health->count < HEALTH_CARRIERS_MAX) {
		found = &health->carriers[health->count++];
	} else {
		found = &health->carriers[0];
		for (size_t i = 1; i < health->count; i++)
			if (health->carriers[i].seen_us < found->seen_us)
				found = &health->carriers[i];
	}
	*found = (struct health_carrier){.cheapest = -1};
	memcpy(found->name, carrier, strlen(carrier) + 1);
	return found;
}

void health_observe(struct health *health, const char *carrier, bool failed)
{
	struct health_carrier *entry = health_find_or_add(health, carrier);
	if (!entry)
		return;
	entry->failure_share += HEALTH_STEP * ((failed ? 1.0 : 0.0) - entry->failure_share);
	entry->seen_us = clock_now_us();
}

/* The first rate of its carrier in the list speaks for all of them. */
static bool health_is_first_of_carrier(const shipopt_record *shipment, size_t index, const char *carrier)
{
	for (size_t i = 0; i < index; i++) {
		const shipopt_record *rate = shipopt_record_item(shipment, SHIPOPT_SHIPMENT_RATES, i);
		if (text_equal_ignore_case(shipopt_record_text(rate, SHIPOPT_RATE_CARRIER), carrier))
			return false;
	}
	return true;
}

/* The cheapest of a carrier's rates, if all of them are in one currency. */
static void health_cheapest_renew(struct health_carrier *entry, const shipopt_record *shipment, const char *carrier)
{
	entry->cheapest = -1;
	for (size_t i = 0; i < shipopt_record_count(shipment, SHIPOPT_SHIPMENT_RATES); i++) {
		const shipopt_record *rate = shipopt_record_item(shipment, SHIPOPT_SHIPMENT_RATES, i);
		const char *currency = shipopt_record_text(rate, SHIPOPT_RATE_CURRENCY);
		int64_t amount = shipopt_record_number(rate, SHIPOPT_RATE_RATE, -1);
		if (amount < 0 || !text_equal_ignore_case(shipopt_record_text(rate, SHIPOPT_RATE_CARRIER), carrier))
			continue;
		currency = currency && strlen(currency) < HEALTH_CURRENCY_SIZE ? currency : "";
		if (entry->cheapest >= 0 && !text_equal_ignore_case(currency, entry->currency)) {
			entry->cheapest = -1;
			return;
		}
		entry->cheapest = entry->cheapest < 0 ? amount : MIN(entry->cheapest, amount);
		memcpy(entry->currency, currency, strlen(currency) + 1);
	}
}

static void health_observe_rates(struct health *health, const shipopt_record *shipment)
{
	for (size_t i = 0; i < shipopt_record_count(shipment, SHIPOPT_SHIPMENT_RATES); i++) {
		const shipopt_record *rate = shipopt_record_item(shipment, SHIPOPT_SHIPMENT_RATES, i);
		const char *carrier = shipopt_record_text(rate, SHIPOPT_RATE_CARRIER);
		if (!carrier || !health_is_first_of_carrier(shipment, i, carrier))
			continue;
		health_observe(health, carrier, false);
		struct health_carrier *entry = health_find_or_add(health, carrier);
		if (entry)
			health_cheapest_renew(entry, shipment, carrier);
	}
}

void health_observe_shipment(struct health *health, const shipopt_record *shipment)
{
	health_observe_rates(health, shipment);
	for (size_t i = 0; i < shipopt_record_count(shipment, SHIPOPT_SHIPMENT_MESSAGES); i++) {
		const shipopt_record *message = shipopt_record_item(shipment, SHIPOPT_SHIPMENT_MESSAGES, i);
		const char *carrier = shipopt_record_text(message, SHIPOPT_MESSAGE_CARRIER);
		if (carrier && text_equal(shipopt_record_text(message, SHIPOPT_MESSAGE_TYPE), "rate_error"))
			health_observe(health, carrier, true);
	}
}

int64_t health_cheapest(const struct health *health, const char *carrier, const char *currency,
	const char **ret_currency)
{
	const struct health_carrier *entry = health_find(health, carrier);
	if (!entry || entry->cheapest < 0 ||
		(!text_is_empty(currency) && !text_equal_ignore_case(entry->currency, currency)))
		return -1;
	*ret_currency = entry->currency;
	return entry->cheapest;
}

bool health_is_ill(const struct health *health, const char *carrier)
{
	const struct health_carrier *entry = health_find(health, carrier);
	return entry && entry->failure_share >= HEALTH_ILL;
}
