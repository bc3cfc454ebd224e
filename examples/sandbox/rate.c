/* SPDX-License-Identifier: MIT */
#include "rate.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"

#define OUNCE INT64_C(1000000)

static const struct rate_product products[] = {
	{"USPS", "GroundAdvantage", false, 425, 82, 28, 4, 1120},
	{"USPS", "Priority", false, 610, 105, 41, 2, 1120},
	{"USPS", "Express", false, 2575, 240, 105, 1, 1120},
	{"UPS", "Ground", false, 780, 74, 38, 4, 2400},
	{"UPS", "3DaySelect", false, 1290, 128, 66, 3, 2400},
	{"UPS", "2ndDayAir", false, 1835, 187, 92, 2, 2400},
	{"UPS", "NextDayAir", false, 3390, 312, 148, 1, 2400},
	{"FedEx", "FEDEX_GROUND", false, 795, 71, 39, 4, 2400},
	{"FedEx", "FEDEX_2_DAY", false, 1910, 179, 95, 2, 2400},
	{"FedEx", "STANDARD_OVERNIGHT", false, 3245, 305, 151, 1, 2400},
	{"USPS", "FirstClassPackageInternationalService", true, 1395, 540, 45, 12, 64},
	{"USPS", "PriorityMailInternational", true, 3120, 385, 120, 8, 1120},
	{"USPS", "ExpressMailInternational", true, 4870, 520, 165, 4, 1120},
	{"UPS", "Expedited", true, 6915, 430, 210, 4, 2400},
	{"UPS", "UPSSaver", true, 7860, 475, 240, 3, 2400},
	{"FedEx", "INTERNATIONAL_ECONOMY", true, 6640, 415, 205, 5, 2400},
	{"FedEx", "INTERNATIONAL_PRIORITY", true, 7985, 482, 238, 3, 2400},
	{"DHLExpress", "ExpressWorldwide", true, 5890, 465, 195, 3, 2400},
};

static const char *const carriers[] = {"USPS", "UPS", "FedEx", "DHLExpress"};

const char *rate_carrier(size_t index)
{
	return index < ARRAY_SIZE(carriers) ? carriers[index] : NULL;
}

const char *rate_carrier_named(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(carriers); i++)
		if (text_equal_ignore_case(carriers[i], name))
			return carriers[i];
	return NULL;
}

const struct rate_product *rate_product(const struct rate *rate)
{
	return &products[rate->product];
}

int64_t rate_millionths(const struct rate *rate)
{
	return (int64_t)rate->cents * 10000;
}

void rate_account_id(const char *carrier, char ret_text[ID_TEXT_SIZE])
{
	uint64_t hash = hash_bytes(carrier, strlen(carrier), 7);
	id_format("ca_", id_derive((struct id){hash, hash}, 1), ret_text);
}

bool rate_is_international(const struct rate_request *request)
{
	return !text_equal_ignore_case(request->from_country, request->to_country);
}

/* The first three digits of a postal code, 500 where there are none. */
static int zip_area(const char *zip)
{
	int area = 0, digits = 0;
	for (; zip && *zip && digits < 3; zip++)
		if (*zip >= '0' && *zip <= '9') {
			area = area * 10 + (*zip - '0');
			digits++;
		}
	return digits == 3 ? area : 500;
}

int rate_zone(const struct rate_request *request)
{
	if (rate_is_international(request)) {
		const char *a = request->from_country, *b = request->to_country;
		return 9 + (int)((hash_bytes(a, strlen(a), 3) ^ hash_bytes(b, strlen(b), 5)) % 8);
	}
	int distance = abs(zip_area(request->from_zip) - zip_area(request->to_zip));
	return 1 + MIN(distance, 999) * 7 / 999 + (distance > 0 && distance * 7 < 999 ? 1 : 0);
}

static struct rate price(size_t product, int zone, int64_t weight)
{
	const struct rate_product *p = &products[product];
	int64_t pounds = (weight + 16 * OUNCE - 1) / (16 * OUNCE);
	int distance = p->is_international ? zone - 8 : zone;
	int64_t cents = p->base_cents + p->pound_cents * MAX(pounds - 1, 0) + (int64_t)p->zone_cents * distance;
	int days = p->days + (p->days > 2 && distance > 4 ? 1 : 0);
	return (struct rate){(uint16_t)product, (uint16_t)days, (int32_t)cents};
}

static void sort_by_price(struct rate *rates, size_t count)
{
	for (size_t i = 1; i < count; i++)
		for (size_t j = i; j > 0 && rates[j].cents < rates[j - 1].cents; j--) {
			struct rate swapped = rates[j];
			rates[j] = rates[j - 1];
			rates[j - 1] = swapped;
		}
}

size_t rates_compute(const struct rate_request *request, const struct fault_names *down,
	struct rate ret_rates[RATES_MAX])
{
	bool is_international = rate_is_international(request);
	int zone = rate_zone(request);
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(products) && count < RATES_MAX; i++) {
		const struct rate_product *product = &products[i];
		if (product->is_international != is_international || fault_names_contain(down, product->carrier))
			continue;
		if (request->weight > product->weight_max_oz * OUNCE)
			continue;
		ret_rates[count++] = price(i, zone, request->weight);
	}
	sort_by_price(ret_rates, count);
	return count;
}
