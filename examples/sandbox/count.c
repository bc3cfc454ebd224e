/* SPDX-License-Identifier: MIT */
#include "count.h"

#include <shipopt/error.h>
#include <string.h>
#include <sys/resource.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"

struct reference_count {
	char *reference; /* the first label's; labels outlive this */
	size_t labels, live;
	bool has_duplicate;
};

static bool has_reference(const void *entry, const void *key)
{
	return strcmp(((const struct reference_count *)entry)->reference, key) == 0;
}

static uint64_t reference_hash(const char *reference)
{
	return hash_bytes(reference, strlen(reference), 0);
}

static struct reference_count *find_reference(const struct counts *counts, const char *reference)
{
	return table_find(&counts->by_reference, reference_hash(reference), has_reference, reference);
}

static int grow(void *items, size_t *capacity, size_t count, size_t size)
{
	void **pointer = items;
	if (count < *capacity)
		return 0;
	size_t wanted = *capacity ? *capacity * 2 : 64;
	void *grown = mem_realloc(*pointer, wanted * size);
	if (!grown)
		return SHIPOPT_ENOMEM;
	*pointer = grown;
	*capacity = wanted;
	return 0;
}

static int add_reference(struct counts *counts, char *reference, struct reference_count **ret_entry)
{
	void *references = counts->references;
	int r = grow(&references, &counts->reference_capacity, counts->reference_count, sizeof(*counts->references));
	counts->references = references;
	if (r < 0)
		return r;
	struct reference_count *entry = mem_alloc_zero(sizeof(*entry));
	if (!entry)
		return SHIPOPT_ENOMEM;
	entry->reference = reference;
	r = table_add(&counts->by_reference, reference_hash(reference), entry);
	if (r < 0) {
		mem_free(entry);
		return r;
	}
	counts->references[counts->reference_count++] = entry;
	*ret_entry = entry;
	return 0;
}

int counts_add_label(struct counts *counts, const struct label *label)
{
	void *labels = counts->labels;
	int r = grow(&labels, &counts->label_capacity, counts->label_count, sizeof(*counts->labels));
	counts->labels = labels;
	if (r < 0)
		return r;
	char *reference = mem_copy_text(label->reference);
	if (!reference)
		return SHIPOPT_ENOMEM;
	struct reference_count *entry = find_reference(counts, reference);
	if (!entry)
		r = add_reference(counts, reference, &entry);
	if (r < 0) {
		mem_free(reference);
		return r;
	}
	struct label *added = &counts->labels[counts->label_count++];
	*added = *label;
	added->reference = reference;
	added->is_duplicate = entry->live > 0;
	entry->has_duplicate |= added->is_duplicate;
	entry->labels++;
	entry->live++;
	counts->charged += label->rate;
	return 0;
}

void counts_refund(struct counts *counts, struct id shipment)
{
	for (size_t i = counts->label_count; i-- > 0;) {
		struct label *label = &counts->labels[i];
		if (label->shipment.high != shipment.high || label->shipment.low != shipment.low || label->is_refunded)
			continue;
		label->is_refunded = true;
		find_reference(counts, label->reference)->live--;
	}
}

void counts_clear(struct counts *counts)
{
	table_done(&counts->by_reference);
	for (size_t i = 0; i < counts->reference_count; i++)
		mem_free(counts->references[i]);
	for (size_t i = 0; i < counts->label_count; i++)
		mem_free(counts->labels[i].reference);
	mem_free(counts->references);
	mem_free(counts->labels);
	*counts = (struct counts){0};
}

static int64_t cpu_us(void)
{
	struct rusage usage;
	if (getrusage(RUSAGE_SELF, &usage) != 0)
		return 0;
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) + usage.ru_utime.tv_usec +
		usage.ru_stime.tv_usec;
}

static void write_references(const struct counts *counts, bool is_brief, struct json_writer *json)
{
	json_write_key(json, "duplicates");
	json_begin_array(json);
	for (size_t i = 0; i < counts->reference_count; i++)
		if (counts->references[i]->has_duplicate)
			json_write_text(json, counts->references[i]->reference);
	json_end_array(json);
	if (is_brief)
		return;
	json_write_key(json, "labels_by_reference");
	json_begin_object(json);
	for (size_t i = 0; i < counts->reference_count; i++)
		json_member_i64(json, counts->references[i]->reference, (int64_t)counts->references[i]->labels);
	json_end_object(json);
}

static int compare_shipments(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct id));
}

static void write_shipments(const struct counts *counts, struct json_writer *json)
{
	json_write_key(json, "labels_by_shipment");
	json_begin_object(json);
	struct id *ids = mem_alloc_array(counts->label_count + 1, sizeof(*ids));
	for (size_t i = 0; ids && i < counts->label_count; i++)
		ids[i] = counts->labels[i].shipment;
	if (ids)
		qsort(ids, counts->label_count, sizeof(*ids), compare_shipments);
	for (size_t i = 0, run; ids && i < counts->label_count; i += run) {
		char text[ID_TEXT_SIZE];
		for (run = 1; i + run < counts->label_count && compare_shipments(&ids[i], &ids[i + run]) == 0;)
			run++;
		id_format("shp_", ids[i], text);
		json_member_i64(json, text, (int64_t)run);
	}
	mem_free(ids);
	json_end_object(json);
}

void counts_write(const struct counts *counts, const char *const *classes, size_t class_count, bool is_brief,
	struct json_writer *json)
{
	char charged[DECIMAL_TEXT_SIZE];
	decimal_format(counts->charged, 2, charged);
	json_begin_object(json);
	json_write_key(json, "requests");
	json_begin_object(json);
	for (size_t i = 0; i < class_count; i++)
		if (counts->requests[i] > 0)
			json_member_i64(json, classes[i], (int64_t)counts->requests[i]);
	json_end_object(json);
	json_member_i64(json, "connections", (int64_t)counts->connections);
	json_member_i64(json, "labels", (int64_t)counts->label_count);
	json_member_text(json, "charged", charged);
	json_member_i64(json, "spending_creations", (int64_t)counts->spending_creations);
	json_member_i64(json, "cpu_us", cpu_us());
	write_references(counts, is_brief, json);
	if (!is_brief)
		write_shipments(counts, json);
	json_end_object(json);
}

int counts_write_labels(const struct counts *counts, struct buffer *buffer)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < counts->label_count; i++) {
		const struct label *label = &counts->labels[i];
		struct json_writer json;
		char text[ID_TEXT_SIZE], rate[DECIMAL_TEXT_SIZE];
		id_format("shp_", label->shipment, text);
		decimal_format(label->rate, 2, rate);
		json_writer_init(&json, buffer);
		json_begin_object(&json);
		json_member_text(&json, "reference", label->reference);
		json_member_text(&json, "shipment", text);
		json_member_text(&json, "tracking_code", label->tracking_code);
		json_member_text(&json, "carrier", label->carrier);
		json_member_text(&json, "service", label->service);
		json_member_text(&json, "rate", rate);
		json_member_text(&json, "state", label->is_refunded ? "refunded" : "charged");
		json_member_bool(&json, "is_duplicate", label->is_duplicate);
		json_end_object(&json);
		r = json_writer_finish(&json);
		if (r == 0)
			r = buffer_append_byte(buffer, '\n');
	}
	return r;
}
