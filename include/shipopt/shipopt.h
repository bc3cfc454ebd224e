/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_H
#define SHIPOPT_H

/* Everything. A program may include single headers instead. */
#include <shipopt/bulk.h>
#include <shipopt/cache.h>
#include <shipopt/carrier.h>
#include <shipopt/error.h>
#include <shipopt/item.h>
#include <shipopt/listen.h>
#include <shipopt/memory.h>
#include <shipopt/op.h>
#include <shipopt/order.h>
#include <shipopt/pool.h>
#include <shipopt/queue.h>
#include <shipopt/record.h>
#include <shipopt/run.h>
#include <shipopt/runtime.h>
#include <shipopt/sink.h>
#include <shipopt/source.h>
#include <shipopt/store.h>
#include <shipopt/version.h>
#include <shipopt/warm.h>

#endif
