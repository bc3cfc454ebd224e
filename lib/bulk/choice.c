/* SPDX-License-Identifier: MIT */
#include "bulk/choice.h"

#include <string.h>

#include "base/buffer.h"
#include "base/text.h"

#define DETAIL_BYTES_MAX 1024

int choice_rule_parse(const char *name, enum choice_rule *ret_rule)
{
	static const char *const names[] = {"cheapest", "fastest", "services"};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (text_equal(name, names[i])) {
			*ret_rule = (enum choice_rule)i;
			return 0;
		}
	}
	return SHIPOPT_EINVAL;
}

static const shipopt_record *rate_at(const shipopt_record *shipment, size_t index)
{
	return shipopt_record_item(shipment, SHIPOPT_SHIPMENT_RATES, index);
}

static bool is_wanted(const char *wanted, const char *given)
{
	return text_is_empty(wanted) || text_equal_ignore_case(wanted, given);
}

static bool equals_part(const char *begin, size_t length, const char *text)
{
	char part[128];
	if (!text || length >= sizeof(part))
		return false;
	memcpy(part, begin, length);
	part[length] = '\0';
	return text_equal_ignore_case(part, text);
}

/* The place of a rate in the list of services, or -1. Entries are "Carrier/Service" or "Service". */
static int services_rank(const char *services, const char *carrier, const char *service)
{
	int rank = 0;
	for (const char *p = services; p && *p; rank++) {
		size_t length = strcspn(p, ",");
		const char *begin = p;
		size_t trimmed = length;
		text_trim(&begin, &trimmed);
		const char *slash = memchr(begin, '/', trimmed);
		bool match = slash ? equals_part(begin, (size_t)(slash - begin), carrier) &&
					     equals_part(slash + 1, trimmed - (size_t)(slash - begin) - 1, service)
				   : equals_part(begin, trimmed, service);
		if (match)
			return rank;
		p += length + (p[length] == ',');
	}
	return -1;
}

struct candidate {
	size_t index;
	int64_t amount, days;
	int rank;
};

static bool read_candidate(const struct choice *choice, const shipopt_record *rate, struct candidate *candidate)
{
	const char *carrier = shipopt_record_text(rate, SHIPOPT_RATE_CARRIER);
	const char *service = shipopt_record_text(rate, SHIPOPT_RATE_SERVICE);
	candidate->amount = shipopt_record_number(rate, SHIPOPT_RATE_RATE, -1);
	candidate->days = shipopt_record_number(rate, SHIPOPT_RATE_DELIVERY_DAYS, INT64_MAX);
	candidate->rank = choice->rule == CHOICE_SERVICES ? services_rank(choice->services, carrier, service) : 0;
	return candidate->amount >= 0 && candidate->rank >= 0 &&
	       !text_is_empty(shipopt_record_text(rate, SHIPOPT_RATE_ID)) && is_wanted(choice->carrier, carrier) &&
	       is_wanted(choice->service, service);
}

static bool is_better(enum choice_rule rule, const struct candidate *a, const struct candidate *b)
{
	if (rule == CHOICE_SERVICES && a->rank != b->rank)
		return a->rank < b->rank;
	if (rule == CHOICE_FASTEST && a->days != b->days)
		return a->days < b->days;
	return a->amount != b->amount ? a->amount < b->amount : a->days < b->days;
}

static void append_messages(const shipopt_record *shipment, struct buffer *text)
{
	for (size_t i = 0; i < shipopt_record_count(shipment, SHIPOPT_SHIPMENT_MESSAGES); i++) {
		const shipopt_record *message = shipopt_record_item(shipment, SHIPOPT_SHIPMENT_MESSAGES, i);
		const char *carrier = shipopt_record_text(message, SHIPOPT_MESSAGE_CARRIER);
		const char *words = shipopt_record_text(message, SHIPOPT_MESSAGE_MESSAGE);
		buffer_append_format(text, "; %.64s says: %.200s", carrier ? carrier : "the carrier", words ? words : "nothing");
	}
}

static int explain_none(const struct choice *choice, const shipopt_record *shipment, bool above, int64_t cheapest,
	shipopt_error **ret_error)
{
	int status = above ? SHIPOPT_ELIMIT : SHIPOPT_ENORATE;
	struct buffer text;
	char amount[DECIMAL_TEXT_SIZE], limit[DECIMAL_TEXT_SIZE];
	buffer_init(&text, DETAIL_BYTES_MAX);
	if (above) {
		decimal_format(cheapest, 2, amount);
		decimal_format(choice->max_rate, 2, limit);
		buffer_append_format(&text, "the cheapest suitable rate %s is above the order's max_rate %s", amount, limit);
	} else {
		buffer_append_format(&text, "none of the %zu rates is by carrier \"%.64s\" and service \"%.64s\"",
			shipopt_record_count(shipment, SHIPOPT_SHIPMENT_RATES),
			text_is_empty(choice->carrier) ? "any" : choice->carrier,
			!text_is_empty(choice->service)          ? choice->service
			: choice->rule == CHOICE_SERVICES ? choice->services
							  : "any");
	}
	append_messages(shipment, &text);
	error_set(ret_error, status, "%s", buffer_text(&text));
	buffer_done(&text);
	return status;
}

int choice_pick(const struct choice *choice, const shipopt_record *shipment, size_t *ret_index, shipopt_error **ret_error)
{
	struct candidate best = {0}, candidate;
	bool found = false;
	int64_t cheapest_above = -1;
	for (size_t i = 0; i < shipopt_record_count(shipment, SHIPOPT_SHIPMENT_RATES); i++) {
		candidate.index = i;
		if (!read_candidate(choice, rate_at(shipment, i), &candidate))
			continue;
		if (choice->max_rate > 0 && candidate.amount > choice->max_rate) {
			cheapest_above = cheapest_above < 0 ? candidate.amount : MIN(cheapest_above, candidate.amount);
			continue;
		}
		if (!found || is_better(choice->rule, &candidate, &best))
			best = candidate;
		found = true;
	}
	if (!found)
		return explain_none(choice, shipment, cheapest_above >= 0, cheapest_above, ret_error);
	*ret_index = best.index;
	return 0;
}
