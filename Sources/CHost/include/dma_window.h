#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

// A new memfd of `size` zero bytes that can never shrink or grow, and whose seals are final. -1 with errno; `attempt`
// then names the call that failed.
int chost_sealed_memory(const char *_Nonnull name, size_t size, const char *_Nullable *_Nonnull attempt);

// Gives bytes of a memfd back to the host: they read as zero, and its size stays. -1 with errno.
int chost_memory_give_back(int descriptor, uint64_t offset, uint64_t count);

// How many bytes of the host's memory a memfd has, or -1 with errno.
int64_t chost_memory_allocated(int descriptor);
