/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_H
#define SHIPOPT_H

/* Every header of this build (<shipopt/features.h>). A program may include single headers instead. */
#include <shipopt/cache.h>
#include <shipopt/error.h>
#include <shipopt/features.h>
#include <shipopt/memory.h>
#include <shipopt/money.h>
#include <shipopt/op.h>
#include <shipopt/queue.h>
#include <shipopt/runtime.h>
#include <shipopt/settings.h>
#include <shipopt/version.h>
#if SHIPOPT_HAVE_CARRIER
#include <shipopt/carrier.h>
#include <shipopt/record.h>
#endif
#if SHIPOPT_HAVE_SQLITE
#include <shipopt/bulk.h>
#include <shipopt/client.h>
#include <shipopt/item.h>
#include <shipopt/ledger.h>
#include <shipopt/order.h>
#include <shipopt/run.h>
#include <shipopt/sink.h>
#include <shipopt/source.h>
#include <shipopt/store.h>
#endif
#if SHIPOPT_HAVE_POSTGRES
#include <shipopt/listen.h>
#include <shipopt/pool.h>
#endif
#if SHIPOPT_HAVE_SQLITE || SHIPOPT_HAVE_POSTGRES
#include <shipopt/warm.h>
#endif

#endif
