/* SPDX-License-Identifier: MIT */
#ifndef PURCHASE_INSURANCE_H
#define PURCHASE_INSURANCE_H

#include <stdint.h>

/*
 * What insuring a shipment costs: a percentage of the insured value, but at least a minimum. The fee is reserved in the spend
 * limit together with the postage; a price ceiling compares the postage only. All numbers in millionths; a percentage of 1 is
 * 1,000,000. 0 for a value of 0.
 */
int64_t insurance_fee(int64_t value, int64_t percent, int64_t minimum);

#endif
