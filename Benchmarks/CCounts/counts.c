#define _GNU_SOURCE
#include "counts.h"

#include <linux/perf_event.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

int counts_open(bool user) {
  struct perf_event_attr attributes = {
      .size = sizeof attributes,
      .type = PERF_TYPE_HARDWARE,
      .config = PERF_COUNT_HW_INSTRUCTIONS,
      .inherit = 1,
      .exclude_user = !user,
      .exclude_kernel = user,
      .exclude_hv = user,
      .exclude_guest = 1,
  };
  return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

int counts_thread(void) { return gettid(); }

static _Atomic uint64_t allocations;

uint64_t counts_allocations(void) { return atomic_load_explicit(&allocations, memory_order_relaxed); }

static void note(void) { atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed); }

void *__real_malloc(size_t size);
void *__real_calloc(size_t elements, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void **place, size_t alignment, size_t size);

void *__wrap_malloc(size_t size) {
  note();
  return __real_malloc(size);
}

void *__wrap_calloc(size_t elements, size_t size) {
  note();
  return __real_calloc(elements, size);
}

void *__wrap_realloc(void *old, size_t size) {
  note();
  return __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
  note();
  return __real_aligned_alloc(alignment, size);
}

int __wrap_posix_memalign(void **place, size_t alignment, size_t size) {
  note();
  return __real_posix_memalign(place, alignment, size);
}
