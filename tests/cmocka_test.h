/* SPDX-License-Identifier: MIT */
#ifndef TESTS_CMOCKA_TEST_H
#define TESTS_CMOCKA_TEST_H

/* cmocka wants these four in front of it; tests include this file instead of cmocka.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#ifdef NDEBUG
#error "tests must not be built with NDEBUG"
#endif

#endif
