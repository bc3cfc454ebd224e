/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_FAULT_H
#define SANDBOX_FAULT_H

#include "base/buffer.h"
#include "base/random.h"
#include "json/json.h"

/*
 * What goes wrong, and how often.
 *
 * One table of settings serves both the command line ("--lost-answer 0.3") and POST /sandbox/faults
 * ({"lost-answer": 0.3}); it and its texts are in fault.c. `faults_draw` decides the fate of one request when it
 * has arrived, with one draw of the seeded generator for each fault in force, in the order of `enum fate`; the
 * first that hits wins. With one request at a time a seed therefore gives the same faults in every run.
 *
 * Fates that end "before" leave no work done; the others do the request's work and spoil its answer.
 * Guarded by the sandbox's lock.
 */
enum fate {
	FATE_NONE,
	FATE_STATUS,      /* before: an error status */
	FATE_CLOSE,       /* before: closed without a byte */
	FATE_RESET,       /* before: the same with a TCP reset */
	FATE_LATE_EFFECT, /* purchases: closed at once, the label is bought seconds later */
	FATE_IN_PROGRESS, /* purchases: "in progress", the label is bought a little later */
	FATE_TIMED_OUT,   /* purchases: "timed out", the label is bought or not, by coin */
	FATE_LOST_ANSWER, /* worked, closed without a byte */
	FATE_TRUNCATE,    /* worked, half of the body, closed */
	FATE_GARBAGE,     /* worked, 200 with bytes that are not JSON */
	FATE_SLOW_BODY    /* worked, the body drips */
};

#define FAULT_NAMES_MAX 8
#define FAULT_NAME_SIZE 64
#define FAULT_STATUSES_MAX 16

struct fault_names {
	size_t count;
	char names[FAULT_NAMES_MAX][FAULT_NAME_SIZE];
};

struct faults {
	int64_t latency_min_us, latency_max_us;
	double requests_per_second; /* 0: no limit */
	char retry_after[FAULT_NAME_SIZE];
	struct {
		int status;
		double fraction;
	} statuses[FAULT_STATUSES_MAX];
	size_t status_count;
	double lost_answer, late_effect, close, reset, truncate, garbage, slow_body, in_progress, timed_out;
	int64_t late_min_us, late_max_us;
	int64_t slow_bytes_per_second;
	bool no_exists_guard, close_kept_alive, only_purchases;
	struct fault_names carrier_down, carrier_fails_purchase, unpurchasable;
};

struct fault_draw {
	enum fate fate;
	int status;         /* FATE_STATUS */
	int64_t latency_us; /* before the work is done */
	int64_t late_us;    /* FATE_LATE_EFFECT: from the close to the purchase */
	bool is_done;       /* FATE_TIMED_OUT: the coin */
};

void faults_init(struct faults *faults);
/* One setting from its text, name without dashes; repeatable ones add up. SHIPOPT_EINVAL for a bad value,
 * SHIPOPT_ENOTFOUND for a name that is no setting. */
int faults_set(struct faults *faults, const char *name, const char *value);
/* True if the setting is a switch that needs no value on the command line. */
bool faults_is_switch(const char *name);
/* Every member is a setting; "reset": true first forgets them all. All or nothing. `ret_bad` gets the first member
 * that was refused and lives with the document. */
int faults_apply(struct faults *faults, struct json_value object, const char **ret_bad);
void faults_draw(const struct faults *faults, struct random *random, bool is_purchase, struct fault_draw *ret_draw);
bool fault_names_contain(const struct fault_names *names, const char *name); /* ignoring case */
bool fault_names_prefix(const struct fault_names *names, const char *text);  /* one is a prefix of text */
/* Appends the value of Retry-After, or nothing for "none". */
void faults_retry_after(const struct faults *faults, char *ret_text, size_t size);
/* The settings with their texts, for --help. */
void faults_describe(struct buffer *buffer);

#endif
