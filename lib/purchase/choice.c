/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_PURCHASE

#include "purchase/choice.h"

#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "base/unicode.h"

#define DETAIL_BYTES_MAX 2048
#define OFFERED_MAX 8
#define CURRENCIES_MAX 8

static const char *const choice_rule_names[] = {"cheapest", "fastest", "services"};

const char *choice_rule_name(enum choice_rule rule)
{
	return choice_rule_names[rule];
}

int choice_rule_parse(const char *name, enum choice_rule *ret_rule)
{
	for (size_t i = 0; i < ARRAY_SIZE(choice_rule_names); i++) {
		if (text_equal(name, choice_rule_names[i])) {
			*ret_rule = (enum choice_rule)i;
			return 0;
		}
	}
	return SHIPOPT_EINVAL;
}

static const shipopt_record *choice_rate(const shipopt_record *shipment, size_t index)
{
	return shipopt_record_item(shipment, SHIPOPT_SHIPMENT_RATES, index);
}

static bool choice_is_wanted(const char *wanted, const char *given)
{
	return text_is_empty(wanted) || text_equal_ignore_case(wanted, given);
}

static bool choice_equals_part(const char *begin, size_t length, const char *text)
{
	char part[128];
	if (!text || length >= sizeof(part))
		return false;
	memcpy(part, begin, length);
	part[length] = '\0';
	return text_equal_ignore_case(part, text);
}

/* The place of a rate in the list of services, or -1. Entries are "Carrier/Service" or "Service". */
static int choice_services_rank(const char *services, const char *carrier, const char *service)
{
	int rank = 0;
	for (const char *p = services; p && *p; rank++) {
		size_t length = strcspn(p, ",");
		const char *begin = p;
		size_t trimmed = length;
		text_trim(&begin, &trimmed);
		const char *slash = memchr(begin, '/', trimmed);
		bool match = slash ? choice_equals_part(begin, (size_t)(slash - begin), carrier) &&
				choice_equals_part(slash + 1, trimmed - (size_t)(slash - begin) - 1, service)
				   : choice_equals_part(begin, trimmed, service);
		if (match)
			return rank;
		p += length + (p[length] == ',');
	}
	return -1;
}

const char *choice_currency(const char *setting, int64_t max_rate, int64_t spend_limit)
{
	if (!text_is_empty(setting))
		return setting;
	return max_rate > 0 || spend_limit > 0 ? "USD" : NULL;
}

/* ---- candidates -------------------------------------------------------------------------------------------- */

struct candidate {
	size_t index;
	int64_t amount, days;
	int rank;
	const char *currency; /* "": the rate names none */
};

static const char *choice_rate_currency(const shipopt_record *rate)
{
	const char *currency = shipopt_record_text(rate, SHIPOPT_RATE_CURRENCY);
	return currency ? currency : "";
}

/* False for a rate that is not suitable; an amount that cannot be read is -1. */
static bool choice_read_candidate(const struct choice *choice, const shipopt_record *shipment, size_t index,
	struct candidate *candidate)
{
	const shipopt_record *rate = choice_rate(shipment, index);
	const char *carrier = shipopt_record_text(rate, SHIPOPT_RATE_CARRIER);
	const char *service = shipopt_record_text(rate, SHIPOPT_RATE_SERVICE);
	*candidate = (struct candidate){
		.index = index,
		.amount = shipopt_record_number(rate, SHIPOPT_RATE_RATE, -1),
		.days = shipopt_record_number(rate, SHIPOPT_RATE_DELIVERY_DAYS, INT64_MAX),
		.rank = choice->rule == CHOICE_SERVICES ? choice_services_rank(choice->services, carrier, service) : 0,
		.currency = choice_rate_currency(rate),
	};
	return candidate->rank >= 0 && !text_is_empty(shipopt_record_text(rate, SHIPOPT_RATE_ID)) &&
		choice_is_wanted(choice->carrier, carrier) && choice_is_wanted(choice->service, service);
}

static bool choice_is_better(enum choice_rule rule, const struct candidate *a, const struct candidate *b)
{
	if (rule == CHOICE_SERVICES && a->rank != b->rank)
		return a->rank < b->rank;
	if (rule == CHOICE_FASTEST && a->days != b->days)
		return a->days < b->days;
	return a->amount != b->amount ? a->amount < b->amount : a->days < b->days;
}

/* The outcome over all suitable rates. */
struct choice_result {
	const char *currency; /* the wanted one, else that of the first rate with an amount; NULL: no such rate */
	bool has_best, has_above, has_unread, has_other_currency;
	struct candidate best, above; /* the best candidate; the cheapest above max_rate */
	size_t unread;                /* a rate whose amount cannot be read */
};

static void choice_add(const struct choice *choice, const struct candidate *candidate, struct choice_result *result)
{
	if (candidate->amount < 0) {
		result->unread = result->has_unread ? result->unread : candidate->index;
		result->has_unread = true;
		return;
	}
	if (!result->currency)
		result->currency = candidate->currency;
	if (!text_equal_ignore_case(candidate->currency, result->currency)) {
		result->has_other_currency = true;
	} else if (choice->max_rate > 0 && candidate->amount > choice->max_rate) {
		if (!result->has_above || candidate->amount < result->above.amount)
			result->above = *candidate;
		result->has_above = true;
	} else {
		if (!result->has_best || choice_is_better(choice->rule, candidate, &result->best))
			result->best = *candidate;
		result->has_best = true;
	}
}

/* ---- explanations ------------------------------------------------------------------------------------------ */

static void choice_append_amount(struct buffer *text, int64_t amount, const char *currency)
{
	char number[DECIMAL_TEXT_SIZE];
	decimal_format(amount, 2, number);
	buffer_append_format(text, "%s %.16s", number, text_is_empty(currency) ? "(no currency)" : currency);
}

/* "FedExDefault/FEDEX_GROUND 9.34 USD" */
static void choice_append_rate(struct buffer *text, const shipopt_record *rate)
{
	const char *carrier = shipopt_record_text(rate, SHIPOPT_RATE_CARRIER);
	const char *service = shipopt_record_text(rate, SHIPOPT_RATE_SERVICE), *source;
	int64_t amount = shipopt_record_number(rate, SHIPOPT_RATE_RATE, -1);
	buffer_append_format(text, "%.40s/%.40s ", carrier ? carrier : "?", service ? service : "?");
	if (amount >= 0)
		choice_append_amount(text, amount, choice_rate_currency(rate));
	else if (shipopt_record_get_source_text(rate, SHIPOPT_RATE_RATE, &source) == 1)
		buffer_append_format(text, "\"%.40s\"", UNICODE_SHOWN(source));
	else
		buffer_append_text(text, "without an amount");
}

static void choice_append_offered(struct buffer *text, const shipopt_record *shipment)
{
	size_t count = shipopt_record_count(shipment, SHIPOPT_SHIPMENT_RATES);
	for (size_t i = 0; i < MIN(count, OFFERED_MAX); i++) {
		buffer_append_text(text, i == 0 ? "; offered: " : ", ");
		choice_append_rate(text, choice_rate(shipment, i));
	}
	if (count > OFFERED_MAX)
		buffer_append_format(text, " and %zu more", count - OFFERED_MAX);
}

static void choice_append_messages(struct buffer *text, const shipopt_record *shipment)
{
	for (size_t i = 0; i < shipopt_record_count(shipment, SHIPOPT_SHIPMENT_MESSAGES); i++) {
		const shipopt_record *message = shipopt_record_item(shipment, SHIPOPT_SHIPMENT_MESSAGES, i);
		const char *carrier = shipopt_record_text(message, SHIPOPT_MESSAGE_CARRIER);
		const char *words = shipopt_record_text(message, SHIPOPT_MESSAGE_MESSAGE);
		buffer_append_format(text, "; %.64s says: %.200s", carrier ? carrier : "the carrier",
			words ? words : "nothing");
	}
}

/* Whether a suitable rate before `candidate` is in the same currency. */
static bool choice_is_currency_known(const struct choice *choice, const shipopt_record *shipment,
	const struct candidate *candidate)
{
	struct candidate before;
	for (size_t i = 0; i < candidate->index; i++)
		if (choice_read_candidate(choice, shipment, i, &before) && before.amount >= 0 &&
			text_equal_ignore_case(before.currency, candidate->currency))
			return true;
	return false;
}

/* "CAD, EUR and USD": the currencies of the suitable rates. */
static void choice_append_currencies(struct buffer *text, const struct choice *choice, const shipopt_record *shipment)
{
	const char *last = NULL;
	size_t count = 0;
	struct candidate candidate;
	for (size_t i = 0; i < shipopt_record_count(shipment, SHIPOPT_SHIPMENT_RATES) && count < CURRENCIES_MAX; i++) {
		if (!choice_read_candidate(choice, shipment, i, &candidate) || candidate.amount < 0 ||
			choice_is_currency_known(choice, shipment, &candidate))
			continue;
		if (last)
			buffer_append_format(text, "%s%.16s", count > 1 ? ", " : "", last);
		last = *candidate.currency ? candidate.currency : "no currency";
		count++;
	}
	buffer_append_format(text, "%s%.16s", count > 1 ? " and " : "", last ? last : "");
}

static int choice_explain_currencies(const struct choice *choice, const shipopt_record *shipment, struct buffer *text)
{
	buffer_append_text(text, "the rates are in ");
	choice_append_currencies(text, choice, shipment);
	if (text_is_empty(choice->currency))
		buffer_append_text(text, ": set the bulk setting currency to one of them");
	else
		buffer_append_format(text,
			", the wanted currency is %.16s: set the bulk setting currency to that of the rates, in which max_rate and "
			"spend_limit are then",
			choice->currency);
	return SHIPOPT_EHELD;
}

static int choice_explain_unread(const shipopt_record *rate, struct buffer *text)
{
	const char *carrier = shipopt_record_text(rate, SHIPOPT_RATE_CARRIER);
	const char *service = shipopt_record_text(rate, SHIPOPT_RATE_SERVICE), *source;
	int64_t amount = 0;
	bool has_source = shipopt_record_get_source_text(rate, SHIPOPT_RATE_RATE, &source) == 1;
	buffer_append_text(text, "the rate ");
	if (has_source)
		buffer_append_format(text, "\"%.40s\" ", UNICODE_SHOWN(source));
	buffer_append_format(text, "of %.40s %.40s ", carrier ? carrier : "?", service ? service : "?");
	if (!has_source)
		buffer_append_text(text, "has no amount");
	else if (decimal_parse_money(source, strlen(source), &amount) == SHIPOPT_EINVAL)
		buffer_append_text(text, "is ambiguous: the comma may stand for thousands or be the decimal mark");
	else
		buffer_append_text(text, amount < 0 ? "is below 0" : "cannot be read as an amount");
	return SHIPOPT_ENORATE;
}

static int choice_explain_above(const struct choice *choice, const struct choice_result *result, struct buffer *text)
{
	buffer_append_text(text, "the cheapest suitable rate ");
	choice_append_amount(text, result->above.amount, result->above.currency);
	buffer_append_text(text, " is above the order's max_rate ");
	choice_append_amount(text, choice->max_rate, result->currency);
	return SHIPOPT_ELIMIT;
}

static int choice_explain_unsuitable(const struct choice *choice, size_t count, struct buffer *text)
{
	if (count == 0)
		buffer_append_text(text, "the carrier gave no rates");
	else
		buffer_append_format(text, "none of the %zu rates is by carrier \"%s\" and service \"%s\"", count,
			UNICODE_SHOWN(text_is_empty(choice->carrier) ? "any" : choice->carrier),
			UNICODE_SHOWN(!text_is_empty(choice->service)     ? choice->service
					: choice->rule == CHOICE_SERVICES ? choice->services
									  : "any"));
	return SHIPOPT_ENORATE;
}

static int choice_explain_none(const struct choice *choice, const shipopt_record *shipment,
	const struct choice_result *result, shipopt_error **ret_error)
{
	struct buffer text;
	buffer_init(&text, DETAIL_BYTES_MAX);
	int status = result->has_above       ? choice_explain_above(choice, result, &text)
		: result->has_other_currency ? choice_explain_currencies(choice, shipment, &text)
		: result->has_unread
		? choice_explain_unread(choice_rate(shipment, result->unread), &text)
		: choice_explain_unsuitable(choice, shipopt_record_count(shipment, SHIPOPT_SHIPMENT_RATES), &text);
	choice_append_offered(&text, shipment);
	choice_append_messages(&text, shipment);
	error_set(ret_error, status, "%s", buffer_text(&text));
	buffer_done(&text);
	return status;
}

int choice_pick(const struct choice *choice, const shipopt_record *shipment, size_t *ret_index,
	shipopt_error **ret_error)
{
	bool is_any = text_is_empty(choice->currency);
	struct choice_result result = {.currency = is_any ? NULL : choice->currency};
	struct candidate candidate;
	for (size_t i = 0; i < shipopt_record_count(shipment, SHIPOPT_SHIPMENT_RATES); i++)
		if (choice_read_candidate(choice, shipment, i, &candidate))
			choice_add(choice, &candidate, &result);
	/* If no currency is wanted, that of the first rate is no reason to prefer it. */
	if (is_any && result.has_other_currency)
		result.has_best = result.has_above = false;
	if (!result.has_best)
		return choice_explain_none(choice, shipment, &result, ret_error);
	*ret_index = result.best.index;
	return 0;
}
