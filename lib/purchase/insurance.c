/* SPDX-License-Identifier: MIT */
#include "purchase/insurance.h"

#include "base/macro.h"

#define PERCENT_WHOLE 100000000.0 /* 100 percent, in millionths */

int64_t insurance_fee(int64_t value, int64_t percent, int64_t minimum)
{
	if (value <= 0)
		return 0;
	double fee = (double)value * ((double)percent / PERCENT_WHOLE);
	/* Rounded up to the cent, so that a reservation is never short. */
	int64_t cents = fee >= 9e15 ? INT64_C(900000000000) : (int64_t)(fee / 10000.0);
	cents += (double)cents * 10000.0 < fee;
	return MAX(cents * 10000, minimum);
}
