/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <pthread.h>
#include <semaphore.h>

#include "cache/reclaim/reader.h"

static void the_horizon_stays_below_open_sections(void **state)
{
	struct reader *reader = reader_enter();
	assert_non_null(reader);
	uint64_t tag = reader_tag();
	assert_true(reader_horizon() <= tag);
	assert_ptr_equal(reader_enter(), reader);
	reader_exit(reader);
	/* The inner section has ended, the outer one has not. */
	assert_true(reader_horizon() <= tag);
	reader_exit(reader);
	assert_true(reader_horizon() > tag);
	/* One that begins behind the tag does not hold it back. */
	tag = reader_tag();
	reader_horizon();
	reader_enter();
	assert_true(reader_horizon() > tag);
	reader_exit(reader);
}

struct section {
	sem_t entered, go;
};

static void *keep_a_section_open(void *argument)
{
	struct section *section = argument;
	struct reader *reader = reader_enter();
	sem_post(&section->entered);
	sem_wait(&section->go);
	reader_exit(reader);
	return NULL;
}

static void the_horizon_stays_below_sections_of_other_threads(void **state)
{
	struct section section;
	pthread_t thread;
	sem_init(&section.entered, 0, 0);
	sem_init(&section.go, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, keep_a_section_open, &section), 0);
	sem_wait(&section.entered);
	uint64_t tag = reader_tag();
	assert_true(reader_horizon() <= tag);
	sem_post(&section.go);
	pthread_join(thread, NULL);
	assert_true(reader_horizon() > tag);
	sem_destroy(&section.entered);
	sem_destroy(&section.go);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_horizon_stays_below_open_sections),
		cmocka_unit_test(the_horizon_stays_below_sections_of_other_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
