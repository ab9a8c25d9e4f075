// What Swift's importer cannot see of Linux: variadic calls, macros with casts, errno right after a call.
// Everything else is imported from the C library's own module.
#pragma once

#include "file.h"
#include "memory.h"
#include "dma_window.h"
#include "kvm_ioctls.h"
#include "events.h"
#include "terminal.h"
#include "threads.h"
