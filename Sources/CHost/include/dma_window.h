#pragma once

#include <stddef.h>
#include <sys/mman.h>

// A new memfd of `size` zero bytes that can never shrink or grow, and whose seals are final. -1 with errno; `attempt`
// then names the call that failed.
int chost_sealed_memory(const char *_Nonnull name, size_t size, const char *_Nullable *_Nonnull attempt);
