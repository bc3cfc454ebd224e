/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_MONEY_H
#define SHIPOPT_MONEY_H

#include <shipopt/error.h>

SHIPOPT_BEGIN_DECLS

/*
 * Amounts of money.
 *
 * The library keeps an amount as an integer number of millionths of the currency unit: 12.50 USD is 12500000. No amount
 * is ever a floating point number. The largest amount is 9223372036854.775807, about 9.2 × 10^12. Since 0.2.
 */

/* Room for every text that shipopt_money_format() writes, the terminating NUL included. */
#define SHIPOPT_MONEY_TEXT_SIZE 24

/*
 * Reads an amount from a text such as "12.50", "0.0325", "7" or "-3.00": an optional minus sign, digits, and optionally
 * a point with one to six digits. Settings take amounts in the same form. A comma, a thousands separator, a space, an
 * exponent or a plus sign is refused, because "1,000" means different amounts to different readers.
 *
 * Writes *ret_millionths on success only. SHIPOPT_EPARSE for another form; SHIPOPT_ETOOLARGE beyond the largest amount;
 * SHIPOPT_EINVAL for NULL.
 */
SHIPOPT_API int shipopt_money_parse(const char *text, int64_t *ret_millionths, shipopt_error **ret_error);

/*
 * Writes an amount as text into `buffer`, which has `size` bytes: "12.50". The text has at least as many digits after
 * the point as the currency has (`currency` is a code such as "USD"; NULL counts as two digits) and more if the amount
 * needs them, so that no digit is lost: 32500 is "0.0325". shipopt_money_parse() reads the text back to the same
 * amount.
 *
 * Returns the length of the text without its NUL. SHIPOPT_ETOOLARGE if it does not fit: the buffer is unchanged then.
 * SHIPOPT_EINVAL for a NULL buffer. SHIPOPT_MONEY_TEXT_SIZE bytes always suffice.
 */
SHIPOPT_API int shipopt_money_format(int64_t millionths, const char *currency, char *buffer, size_t size);

SHIPOPT_END_DECLS

#endif
