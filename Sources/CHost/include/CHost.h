// What Swift's importer cannot see of Linux: variadic calls, macros with casts, errno right after a call.
// Everything else is imported from the C library's own module.
//
// No header defines _GNU_SOURCE: it changes types such as fd_set, and Swift refuses two definitions of one type that
// differ (its own module of the C library is built without). The .c files define it.
#pragma once

#include "file.h"
#include "memory.h"
#include "dma_window.h"
#include "disk.h"
#include "channel.h"
#include "detach.h"
#include "events.h"
#include "foreign.h"
#include "messages.h"
#include "network.h"
#include "output.h"
#include "process.h"
#include "terminal.h"
#include "threads.h"
