#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static inline int chost_errno(void) { return errno; }

// The C library's text for an error number, ended with a zero and cut to `size` bytes.
void chost_error_text(int number, char *_Nonnull text, size_t size);

static inline long chost_page_size(void) { return sysconf(_SC_PAGESIZE); }

static inline void *_Nullable chost_map_private(size_t size) {
  void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return base == MAP_FAILED ? NULL : base;
}

// The same in huge pages as far as the host has them free, and aligned for them. NULL with errno; a kernel that knows
// none gives small ones, or, where they are required, EINVAL.
void *_Nullable chost_map_private_huge(size_t size, bool required);

// Leaves the mapping out of core dumps.
static inline void chost_leave_out_of_dumps(void *_Nonnull base, size_t size) {
  madvise(base, size, 16 /* MADV_DONTDUMP, which the C library shows with extensions only */);
}

static inline int chost_unmap(void *_Nonnull base, size_t size) { return munmap(base, size); }

// Zeroes part of a private anonymous mapping; whole pages are given back to the host.
void chost_zero_private(void *_Nonnull start, size_t size);

// Puts zeroed private pages where those of a file were mapped privately: 0 or -1 with errno. Start and size are whole
// pages'.
int chost_replace_by_zeroes(void *_Nonnull start, size_t size);

// How many bytes of the mapping have pages, or -1 with errno.
int64_t chost_resident_size(void *_Nonnull base, size_t size);

static inline void *_Nullable chost_map_shared(int descriptor, size_t size) {
  void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  return base == MAP_FAILED ? NULL : base;
}

// Maps a file that is in memory, aligned for huge pages, and in such where the host gives them on advice. NULL with
// errno.
void *_Nullable chost_map_shared_huge(int descriptor, size_t size);

// How many bytes of the host's memory nobody uses for anything.
uint64_t chost_free_memory(void);

// How many bytes of the buffer are random now, or -1 with errno.
int64_t chost_random(void *_Nonnull buffer, size_t size);
