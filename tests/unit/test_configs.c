/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <shipopt/shipopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* The public face that the configurations of all nouns share. */

#define CONFIG_TEST(noun, variable, setting, good, bad)                                                             \
	static void a_##noun##_configuration_reads_the_environment_and_keeps_its_error(void **state)                \
	{                                                                                                           \
		shipopt_##noun##_config *config = NULL;                                                             \
		assert_int_equal(shipopt_##noun##_config_new(NULL), SHIPOPT_EINVAL);                                \
		assert_int_equal(shipopt_##noun##_config_new(&config), 0);                                          \
		assert_null(shipopt_##noun##_config_error(config));                                                 \
		setenv(variable, good, 1);                                                                          \
		assert_int_equal(shipopt_##noun##_config_from_env(config), 0);                                      \
		assert_null(shipopt_##noun##_config_error(config));                                                 \
		setenv(variable, bad, 1);                                                                           \
		assert_int_equal(shipopt_##noun##_config_from_env(config), SHIPOPT_EINVAL);                         \
		unsetenv(variable);                                                                                 \
		const shipopt_error *error = shipopt_##noun##_config_error(config);                                 \
		assert_int_equal(shipopt_error_code(error), SHIPOPT_EINVAL);                                        \
		assert_non_null(strstr(shipopt_error_message(error), variable));                                    \
		assert_non_null(strstr(shipopt_error_message(error), setting));                                     \
		shipopt_##noun##_config_free(config);                                                               \
		assert_int_equal(shipopt_##noun##_config_new(&config), 0);                                          \
		assert_int_equal(shipopt_##noun##_config_set(config, setting, good), 0);                            \
		assert_int_equal(shipopt_##noun##_config_set_int(config, "no_such_setting", 1), SHIPOPT_ENOTFOUND); \
		assert_int_equal(shipopt_##noun##_config_set(config, "no_such_setting", "1"), SHIPOPT_ENOTFOUND);   \
		error = shipopt_##noun##_config_error(config);                                                      \
		assert_non_null(strstr(shipopt_error_message(error), "no_such_setting"));                           \
		shipopt_##noun##_config_free(config);                                                               \
		assert_int_equal(shipopt_##noun##_config_from_env(NULL), SHIPOPT_EINVAL);                           \
		assert_null(shipopt_##noun##_config_error(NULL));                                                   \
		shipopt_##noun##_config_free(NULL);                                                                 \
		assert_int_equal(mem_live_count(), 0);                                                              \
	}

/* clang-format off */
CONFIG_TEST(runtime, "SHIPOPT_RUNTIME_WORKERS", "workers", "3", "many")
CONFIG_TEST(cache, "SHIPOPT_CACHE_ENTRIES_MAX", "entries_max", "3", "-1")
#if SHIPOPT_HAVE_CARRIER
CONFIG_TEST(carrier, "SHIPOPT_CARRIER_ADAPTIVE", "adaptive", "no", "perhaps")
CONFIG_TEST(call, "SHIPOPT_CALL_TIMEOUT_MS", "timeout_ms", "500", "soon")
#endif
#if SHIPOPT_HAVE_SQLITE
CONFIG_TEST(store, "SHIPOPT_STORE_TENANT", "tenant", "east", "")
CONFIG_TEST(source, "SHIPOPT_SOURCE_COLUMNS_MAX", "columns_max", "9", "0")
CONFIG_TEST(bulk, "SHIPOPT_BULK_SPEND_LIMIT", "spend_limit", "12.50", "much")
#endif
#if SHIPOPT_HAVE_POSTGRES
CONFIG_TEST(pool, "SHIPOPT_POOL_MAX", "max", "3", "0")
#endif
/* clang-format on */

int main(void)
{
	const struct CMUnitTest tests[] =
	{ cmocka_unit_test(a_runtime_configuration_reads_the_environment_and_keeps_its_error),
		cmocka_unit_test(a_cache_configuration_reads_the_environment_and_keeps_its_error),
#if SHIPOPT_HAVE_CARRIER
		cmocka_unit_test(a_carrier_configuration_reads_the_environment_and_keeps_its_error),
		cmocka_unit_test(a_call_configuration_reads_the_environment_and_keeps_its_error),
#endif
#if SHIPOPT_HAVE_SQLITE
		cmocka_unit_test(a_store_configuration_reads_the_environment_and_keeps_its_error),
		cmocka_unit_test(a_source_configuration_reads_the_environment_and_keeps_its_error),
		cmocka_unit_test(a_bulk_configuration_reads_the_environment_and_keeps_its_error),
#endif
#if SHIPOPT_HAVE_POSTGRES
		cmocka_unit_test(a_pool_configuration_reads_the_environment_and_keeps_its_error),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
