// Counts what this program takes: instructions, by the processor's counters, and memory of its heap.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Opens a counter of instructions, of user mode or of the kernel, that the threads inherit which are started later.
// -1 where there is none. It is read as 64 bits.
int counts_open(bool user);

// How often memory was taken from the heap so far, by all threads. The linker leads the calls here by --wrap.
uint64_t counts_allocations(void);

// The number of the thread that calls.
int counts_thread(void);
