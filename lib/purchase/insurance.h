/* SPDX-License-Identifier: MIT */
#ifndef PURCHASE_INSURANCE_H
#define PURCHASE_INSURANCE_H

#include <stdint.h>

/*
 * What insuring a shipment costs: a percentage of the insured value, but not less than a minimum. The spend limit
 * reserves the fee together with the postage; a price ceiling compares the postage only. All numbers are millionths,
 * and 1 percent is 1,000,000. The fee of a value of 0 is 0.
 */
int64_t insurance_fee(int64_t value, int64_t percent, int64_t minimum);

#endif
