/* SPDX-License-Identifier: MIT */
#ifndef BASE_MONEY_H
#define BASE_MONEY_H

#include <shipopt/money.h>

#include "base/error.h"

/*
 * The strict form of an amount, for what users set: digits, a point, at most so many digits after it. What files and
 * carriers write is read more generously, by decimal_parse() and decimal_parse_money() in base/text.h.
 */

#define MONEY_PLACES_MAX 6

/* The digits after the point that the currency has (ISO 4217); 2 for NULL and for a currency that is not known. */
int money_places(const char *currency);
/* Whether the amount can be paid in the currency: it has no more digits after the point than the currency. */
bool money_fits(int64_t millionths, const char *currency);

enum money_fault { MONEY_OK, MONEY_IS_NO_AMOUNT, MONEY_HAS_TOO_MANY_PLACES, MONEY_IS_TOO_LARGE };
/* Writes *ret_millionths for MONEY_OK only. */
enum money_fault money_parse(const char *text, int places_max, int64_t *ret_millionths);

#endif
