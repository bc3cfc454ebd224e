/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "base/error.h"

/* The forms of texts that are more than a choice; see `check` in struct setting. SHIPOPT_EPARSE or SHIPOPT_EINVAL with
 * a message that completes "… setting name: ". */

/* A currency: three capital letters. */
int check_currency(const char *text, shipopt_error **ret_error);
/* Names of services, separated by commas: "Carrier/Service" or "Service", none of them empty. "" is no list. */
int check_services(const char *text, shipopt_error **ret_error);

#endif
