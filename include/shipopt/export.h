/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_EXPORT_H
#define SHIPOPT_EXPORT_H

#include <stddef.h>
#include <stdint.h>

/* Marks what the library exports; everything else is built hidden. */
#if defined(__GNUC__)
#define SHIPOPT_API __attribute__((visibility("default")))
#else
#define SHIPOPT_API
#endif

#ifdef __cplusplus
#define SHIPOPT_BEGIN_DECLS extern "C" {
#define SHIPOPT_END_DECLS }
#else
#define SHIPOPT_BEGIN_DECLS
#define SHIPOPT_END_DECLS
#endif

#endif
