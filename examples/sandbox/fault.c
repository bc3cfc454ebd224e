/* SPDX-License-Identifier: MIT */
#include "fault.h"

#include <shipopt/error.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"

enum setting_type {
	SETTING_SWITCH,
	SETTING_FRACTION,
	SETTING_LATENCY,
	SETTING_RATE,
	SETTING_RETRY_AFTER,
	SETTING_STATUS,
	SETTING_LATE_EFFECT,
	SETTING_SLOW_BODY,
	SETTING_NAMES,
	SETTING_PATHS
};

#define AT(member) offsetof(struct faults, member)

static const struct setting {
	const char *name, *argument, *text;
	enum setting_type type;
	size_t offset;
} settings[] = {
	{"latency-ms", "N|MIN-MAX", "time before a request's work is done", SETTING_LATENCY, 0},
	{"requests-per-second", "N", "429 beyond this rate, bursts up to N; 0: no limit", SETTING_RATE, 0},
	{"retry-after", "SECONDS|date:SECONDS|none", "Retry-After of a 429 or 503 (default 1)", SETTING_RETRY_AFTER, 0},
	{"error-rate", "STATUS=FRACTION", "answer this status, nothing done; repeatable", SETTING_STATUS, 0},
	{"lost-answer", "FRACTION", "work done, connection closed without a byte", SETTING_FRACTION, AT(lost_answer)},
	{"late-effect", "FRACTION:SECONDS|MIN-MAX", "purchase closed at once, bought that much later",
		SETTING_LATE_EFFECT, 0},
	{"no-exists-guard", "", "a second purchase of a shipment buys a second label", SETTING_SWITCH,
		AT(no_exists_guard)},
	{"close", "FRACTION", "closed without a byte, nothing done", SETTING_FRACTION, AT(close)},
	{"close-kept-alive", "", "close instead of answering a purchase on a reused connection, nothing done",
		SETTING_SWITCH, AT(close_kept_alive)},
	{"reset", "FRACTION", "TCP reset, nothing done", SETTING_FRACTION, AT(reset)},
	{"truncate", "FRACTION", "work done, half of the body, closed", SETTING_FRACTION, AT(truncate)},
	{"garbage", "FRACTION", "work done, status 200 with bytes that are not JSON", SETTING_FRACTION, AT(garbage)},
	{"slow-body", "BYTES_PER_SECOND:FRACTION", "work done, the body drips", SETTING_SLOW_BODY, 0},
	{"in-progress", "FRACTION", "purchase answered SHIPMENT.PURCHASE.IN_PROGRESS, bought soon after",
		SETTING_FRACTION, AT(in_progress)},
	{"timed-out", "FRACTION", "purchase answered SHIPMENT.POSTAGE.TIMED_OUT, bought or not", SETTING_FRACTION,
		AT(timed_out)},
	{"carrier-down", "NAME", "no rates of this carrier, an error in messages[]; repeatable", SETTING_NAMES,
		AT(carrier_down)},
	{"carrier-fails-purchase", "NAME", "422 for purchases from this carrier; repeatable", SETTING_NAMES,
		AT(carrier_fails_purchase)},
	{"unpurchasable", "PREFIX", "422 for purchases of orders whose reference begins so; repeatable", SETTING_NAMES,
		AT(unpurchasable)},
	{"fault-paths", "buy|all", "which requests the faults above hit (default all)", SETTING_PATHS, 0},
};

void faults_init(struct faults *faults)
{
	*faults = (struct faults){.retry_after = "1"};
}

static const struct setting *find_setting(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (strcmp(settings[i].name, name) == 0)
			return &settings[i];
	return NULL;
}

bool faults_is_switch(const char *name)
{
	const struct setting *setting = find_setting(name);
	return setting && setting->type == SETTING_SWITCH;
}

/* A number without sign in [0, max]; `end` is where it stopped. */
static bool read_number(const char *text, double max, double *ret_value, const char **ret_end)
{
	size_t length = strspn(text, "0123456789.eE");
	int64_t millionths;
	if (length == 0 || decimal_parse(text, length, &millionths) < 0)
		return false;
	double value = (double)millionths / 1e6;
	if (value < 0 || value > max)
		return false;
	*ret_value = value;
	*ret_end = text + length;
	return true;
}

/* "N" or "MIN-MAX", to the end of the text. */
static bool read_range(const char *text, double unit_us, int64_t *ret_min, int64_t *ret_max)
{
	double low, high;
	const char *end;
	if (!read_number(text, 1e9, &low, &end))
		return false;
	high = low;
	if (*end == '-' && !read_number(end + 1, 1e9, &high, &end))
		return false;
	if (*end != '\0' || high < low)
		return false;
	*ret_min = (int64_t)(low * unit_us);
	*ret_max = (int64_t)(high * unit_us);
	return true;
}

static bool read_fraction(const char *text, double *ret_value)
{
	double value;
	const char *end;
	if (!read_number(text, 1, &value, &end) || *end != '\0')
		return false;
	*ret_value = value;
	return true;
}

static bool set_status(struct faults *faults, const char *text)
{
	double status, fraction;
	const char *end;
	if (!read_number(text, 599, &status, &end) || status < 400 || *end != '=' || !read_fraction(end + 1, &fraction))
		return false;
	size_t i = 0;
	while (i < faults->status_count && faults->statuses[i].status != (int)status)
		i++;
	if (i == FAULT_STATUSES_MAX)
		return false;
	faults->statuses[i].status = (int)status;
	faults->statuses[i].fraction = fraction;
	faults->status_count = MAX(faults->status_count, i + 1);
	return true;
}

static bool set_late_effect(struct faults *faults, const char *text)
{
	double fraction;
	const char *end;
	if (!read_number(text, 1, &fraction, &end))
		return false;
	int64_t min_us = faults->late_min_us, max_us = faults->late_max_us;
	if (*end == ':' ? !read_range(end + 1, 1e6, &min_us, &max_us) : *end != '\0')
		return false;
	faults->late_effect = fraction;
	faults->late_min_us = min_us;
	faults->late_max_us = max_us;
	return true;
}

static bool set_slow_body(struct faults *faults, const char *text)
{
	double bytes, fraction;
	const char *end;
	if (!read_number(text, 1e9, &bytes, &end))
		return false;
	if (*end == '\0' && bytes == 0) {
		faults->slow_body = 0;
		return true;
	}
	if (bytes < 1 || *end != ':' || !read_fraction(end + 1, &fraction))
		return false;
	faults->slow_bytes_per_second = (int64_t)bytes;
	faults->slow_body = fraction;
	return true;
}

static bool set_names(struct fault_names *names, const char *text)
{
	if (*text == '\0') {
		names->count = 0;
		return true;
	}
	if (names->count == FAULT_NAMES_MAX || strlen(text) >= FAULT_NAME_SIZE)
		return false;
	snprintf(names->names[names->count++], FAULT_NAME_SIZE, "%s", text);
	return true;
}

static bool set_retry_after(struct faults *faults, const char *text)
{
	double seconds;
	const char *end, *digits = text_has_prefix(text, "date:") ? text + 5 : text;
	if (strcmp(text, "none") != 0 && (!read_number(digits, 1e6, &seconds, &end) || *end != '\0'))
		return false;
	if (strlen(text) >= sizeof(faults->retry_after))
		return false;
	snprintf(faults->retry_after, sizeof(faults->retry_after), "%s", text);
	return true;
}

static bool set_switch(bool *ret_switch, const char *text)
{
	bool on = strcmp(text, "true") == 0;
	if (!on && strcmp(text, "false") != 0)
		return false;
	*ret_switch = on;
	return true;
}

static bool set_rate(struct faults *faults, const char *text)
{
	const char *end;
	double rate;
	if (!read_number(text, 1e6, &rate, &end) || *end != '\0')
		return false;
	faults->requests_per_second = rate;
	return true;
}

static bool set_paths(struct faults *faults, const char *text)
{
	faults->only_purchases = strcmp(text, "buy") == 0;
	return faults->only_purchases || strcmp(text, "all") == 0;
}

int faults_set(struct faults *faults, const char *name, const char *value)
{
	const struct setting *setting = find_setting(name);
	if (!setting)
		return SHIPOPT_ENOTFOUND;
	char *at = (char *)faults + setting->offset;
	bool ok = false;
	switch (setting->type) {
	case SETTING_SWITCH: ok = set_switch((bool *)(void *)at, value); break;
	case SETTING_FRACTION: ok = read_fraction(value, (double *)(void *)at); break;
	case SETTING_LATENCY: ok = read_range(value, 1e3, &faults->latency_min_us, &faults->latency_max_us); break;
	case SETTING_RATE: ok = set_rate(faults, value); break;
	case SETTING_RETRY_AFTER: ok = set_retry_after(faults, value); break;
	case SETTING_STATUS: ok = set_status(faults, value); break;
	case SETTING_LATE_EFFECT: ok = set_late_effect(faults, value); break;
	case SETTING_SLOW_BODY: ok = set_slow_body(faults, value); break;
	case SETTING_NAMES: ok = set_names((struct fault_names *)(void *)at, value); break;
	case SETTING_PATHS: ok = set_paths(faults, value); break;
	}
	return ok ? 0 : SHIPOPT_EINVAL;
}

/* A string's contents, or the digits and words of anything else, as the command line would have them. */
static int set_from_value(struct faults *faults, const char *name, struct json_value value)
{
	char text[256];
	const char *bytes;
	size_t length;
	if (json_text(value, &bytes, NULL))
		return faults_set(faults, name, bytes);
	if (!json_source(value, &bytes, &length) || length >= sizeof(text))
		return SHIPOPT_EINVAL;
	memcpy(text, bytes, length);
	text[length] = '\0';
	text[strcspn(text, " \t\r\n")] = '\0';
	return faults_set(faults, name, strcmp(text, "null") == 0 ? "" : text);
}

/* {"500": 0.1, "503": 0.2} */
static int set_statuses(struct faults *faults, const char *name, struct json_value object)
{
	struct json_iterator it;
	int r = 0;
	for (json_members(object, &it); r == 0 && json_next(&it);) {
		char text[96];
		const char *bytes;
		size_t length;
		if (!json_source(it.value, &bytes, &length) || length > 32)
			return SHIPOPT_EINVAL;
		snprintf(text, sizeof(text), "%.32s=%.*s", it.key, (int)length, bytes);
		r = faults_set(faults, name, text);
	}
	return r;
}

static int apply_member(struct faults *faults, const char *name, struct json_value value)
{
	struct json_iterator it;
	int r = 0;
	if (json_type(value) == JSON_OBJECT)
		return set_statuses(faults, name, value);
	if (json_type(value) != JSON_ARRAY)
		return set_from_value(faults, name, value);
	const struct setting *setting = find_setting(name);
	if (setting && setting->type == SETTING_NAMES)
		r = faults_set(faults, name, "");
	for (json_items(value, &it); r == 0 && json_next(&it);)
		r = set_from_value(faults, name, it.value);
	return r;
}

int faults_apply(struct faults *faults, struct json_value object, const char **ret_bad)
{
	struct faults changed = *faults;
	struct json_iterator it;
	struct json_value reset;
	bool forget = false;
	if (json_type(object) != JSON_OBJECT)
		return SHIPOPT_ETYPE;
	if (json_get(object, "reset", &reset) && json_bool(reset, &forget) && forget)
		faults_init(&changed);
	for (json_members(object, &it); json_next(&it);) {
		if (strcmp(it.key, "reset") == 0 && json_type(it.value) == JSON_BOOL)
			continue;
		int r = apply_member(&changed, it.key, it.value);
		if (r < 0) {
			*ret_bad = it.key;
			return r;
		}
	}
	*faults = changed;
	return 0;
}

static int64_t draw_between(struct random *random, int64_t min, int64_t max)
{
	return min + (int64_t)random_below(random, (uint64_t)(max - min) + 1);
}

static bool hits(struct random *random, double fraction)
{
	return fraction > 0 && random_unit(random) < fraction;
}

static bool draw_status(const struct faults *faults, struct random *random, int *ret_status)
{
	for (size_t i = 0; i < faults->status_count; i++)
		if (hits(random, faults->statuses[i].fraction)) {
			*ret_status = faults->statuses[i].status;
			return true;
		}
	return false;
}

static enum fate draw_fate(const struct faults *faults, struct random *random, bool is_purchase, int *ret_status)
{
	if (draw_status(faults, random, ret_status))
		return FATE_STATUS;
	if (hits(random, faults->close))
		return FATE_CLOSE;
	if (hits(random, faults->reset))
		return FATE_RESET;
	if (is_purchase && hits(random, faults->late_effect))
		return FATE_LATE_EFFECT;
	if (is_purchase && hits(random, faults->in_progress))
		return FATE_IN_PROGRESS;
	if (is_purchase && hits(random, faults->timed_out))
		return FATE_TIMED_OUT;
	if (hits(random, faults->lost_answer))
		return FATE_LOST_ANSWER;
	if (hits(random, faults->truncate))
		return FATE_TRUNCATE;
	if (hits(random, faults->garbage))
		return FATE_GARBAGE;
	return hits(random, faults->slow_body) ? FATE_SLOW_BODY : FATE_NONE;
}

void faults_draw(const struct faults *faults, struct random *random, bool is_purchase, struct fault_draw *ret_draw)
{
	struct fault_draw draw = {.fate = FATE_NONE};
	draw.latency_us = faults->latency_min_us;
	if (faults->latency_max_us > faults->latency_min_us)
		draw.latency_us = draw_between(random, faults->latency_min_us, faults->latency_max_us);
	if (is_purchase || !faults->only_purchases)
		draw.fate = draw_fate(faults, random, is_purchase, &draw.status);
	if (draw.fate == FATE_LATE_EFFECT)
		draw.late_us = draw_between(random, faults->late_min_us, faults->late_max_us);
	if (draw.fate == FATE_TIMED_OUT)
		draw.is_done = random_below(random, 2) == 1;
	*ret_draw = draw;
}

bool fault_names_contain(const struct fault_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (text_equal_ignore_case(names->names[i], name))
			return true;
	return false;
}

bool fault_names_prefix(const struct fault_names *names, const char *text)
{
	for (size_t i = 0; text && i < names->count; i++)
		if (text_has_prefix(text, names->names[i]))
			return true;
	return false;
}

void faults_retry_after(const struct faults *faults, char *ret_text, size_t size)
{
	struct tm parts;
	double seconds = 0;
	const char *end;
	if (!text_has_prefix(faults->retry_after, "date:")) {
		snprintf(ret_text, size, "%s", strcmp(faults->retry_after, "none") ? faults->retry_after : "");
		return;
	}
	read_number(faults->retry_after + 5, 1e6, &seconds, &end);
	time_t at = (time_t)((double)clock_wall_ms() / 1000 + seconds + 0.999);
	if (gmtime_r(&at, &parts))
		strftime(ret_text, size, "%a, %d %b %Y %H:%M:%S GMT", &parts);
}

void faults_describe(struct buffer *buffer)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		buffer_append_format(buffer, "  --%s%s%s\n      %s\n", settings[i].name,
			settings[i].argument[0] ? " " : "", settings[i].argument, settings[i].text);
}
