/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_RATE_H
#define SANDBOX_RATE_H

#include "fault.h"
#include "registry.h"

/*
 * What carriers charge, by a made-up but steady tariff.
 *
 * A product is a carrier's service; the table in rate.c has its price as a base, a part for each started pound and a
 * part for each zone. A zone is 1 to 8 inside the United States, from the first three digits of the two postal codes,
 * and 9 to 16 between two countries, from their codes. The same weight, places and product always cost the same. A rate
 * is a product, a price and days; its id follows from the shipment's id, its place and how often the shipment was
 * rated, so that rates of before a rerate are no longer found.
 */
struct rate_request {
	const char *from_country, *from_zip, *to_country, *to_zip;
	int64_t weight; /* millionths of an ounce */
};

struct rate {
	uint16_t product;
	uint16_t days;
	int32_t cents;
};

struct rate_product {
	const char *carrier, *service;
	bool is_international;
	int base_cents, pound_cents, zone_cents, days, weight_max_oz;
};

#define RATES_MAX 24

const struct rate_product *rate_product(const struct rate *rate);
int64_t rate_millionths(const struct rate *rate);
int rate_zone(const struct rate_request *request);
bool rate_is_international(const struct rate_request *request);
/* All that the tariff offers, dearest last; `down` carriers left out. Returns how many. */
size_t rates_compute(const struct rate_request *request, const struct fault_names *down,
	struct rate ret_rates[RATES_MAX]);
/* The account id of a carrier: "ca_…". */
void rate_account_id(const char *carrier, char ret_text[ID_TEXT_SIZE]);
/* The carriers of the tariff, by number; NULL beyond the last. */
const char *rate_carrier(size_t index);
/* The static name of a carrier, whatever its case; NULL for one that the tariff does not know. */
const char *rate_carrier_named(const char *name);

#endif
