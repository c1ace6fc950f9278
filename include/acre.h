/* SPDX-License-Identifier: MIT */
/* acre.h: everything. */
#ifndef ACRE_H
#define ACRE_H

#include <acre/algorithm.h>
#include <acre/alloc.h>
#include <acre/base.h>
#include <acre/object.h>
#include <acre/pointer.h>
#include <acre/queue.h>
#include <acre/region.h>
#include <acre/ring.h>
#include <acre/segment.h>
#include <acre/shared.h>
#include <acre/snapshot.h>
#include <acre/sync.h>
#include <acre/tx.h>

#endif
