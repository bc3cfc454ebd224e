/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "buy_labels.h"

void options_print_usage(void)
{
	printf("usage: buy_labels --orders FILE --store sqlite:FILE --out FILE [options]\n"
	       "Buys a shipping label for each order of a CSV, TSV (.tsv) or JSON lines (.jsonl) file, once.\n\n"
	       "  --orders FILE         the orders; - is standard input (CSV)\n"
	       "  --store URL           where the purchase ledger is kept, such as sqlite:ship.db\n"
	       "  --out FILE            one line for each order (CSV, or JSON lines for .jsonl); made new by each run\n"
	       "  --carrier-url URL     base URL of the API, such as http://127.0.0.1:8080/v2\n"
	       "  --api-key-file FILE   file with the API key; or environment SHIPOPT_CARRIER_API_KEY\n"
	       "  --max-in-flight N     orders at work at once (default 16)\n"
	       "  --service NAME ...    buy the first of these that has a rate: \"Ground\" or \"USPS/Priority\";\n"
	       "                        default: the cheapest rate\n"
	       "  --spend-limit AMOUNT  most to spend from this store, over all runs\n"
	       "  --rates-only          choose and store rates, buy nothing; a later run buys what was chosen\n"
	       "  --help\n\n"
	       "The environment variables SHIPOPT_CARRIER_*, SHIPOPT_STORE_*, SHIPOPT_SOURCE_* and SHIPOPT_BULK_* set\n"
	       "what options do not; their names and defaults are in <shipopt/carrier.h>, <shipopt/store.h> and <shipopt/bulk.h>.\n\n"
	       "Exit status: 0 all orders bought, or failed for a reason of their own; 1 something is left to do, the\n"
	       "message says what; 2 bad usage.\n");
}

static int options_add_service(struct options *options, const char *name)
{
	size_t used = strlen(options->services);
	int n = snprintf(options->services + used, sizeof(options->services) - used, "%s%s", used ? "," : "", name);
	return n > 0 && (size_t)n < sizeof(options->services) - used ? 0 : -1;
}

/* Returns where the value of an option goes; NULL for an unknown option. */
static const char **options_find(struct options *options, const char *name)
{
	const struct {
		const char *name, **value;
	} known[] = {
		{"--orders", &options->orders},
		{"--store", &options->store},
		{"--out", &options->out},
		{"--carrier-url", &options->carrier_url},
		{"--api-key-file", &options->api_key_file},
		{"--max-in-flight", &options->max_in_flight},
		{"--spend-limit", &options->spend_limit},
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].value;
	return NULL;
}

int options_parse(struct options *options, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i], **value = options_find(options, name);
		if (strcmp(name, "--help") == 0)
			return 1;
		if (strcmp(name, "--rates-only") == 0) {
			options->rates_only = 1;
			continue;
		}
		int takes_value = value || strcmp(name, "--service") == 0;
		if (!takes_value || i + 1 >= argc || strncmp(argv[i + 1], "--", 2) == 0) {
			fprintf(stderr,
				takes_value ? "buy_labels: %s needs a value\n" : "buy_labels: unknown option %s\n",
				name);
			return -1;
		}
		if (value) {
			*value = argv[++i];
			continue;
		}
		while (i + 1 < argc && strncmp(argv[i + 1], "--", 2) != 0)
			if (options_add_service(options, argv[++i]) < 0) {
				fprintf(stderr, "buy_labels: too many services\n");
				return -1;
			}
	}
	if (options->orders && options->store && options->out)
		return 0;
	fprintf(stderr, "buy_labels: --orders, --store and --out are required; see --help\n");
	return -1;
}
