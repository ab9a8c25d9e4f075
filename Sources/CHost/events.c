#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "events.h"

#include <sys/resource.h>

static uint64_t nanoseconds(struct timeval time) {
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_usec * 1000;
}

static struct chost_processor_times times_of(int who) {
  struct rusage usage;
  getrusage(who, &usage);
  return (struct chost_processor_times){.user = nanoseconds(usage.ru_utime), .system = nanoseconds(usage.ru_stime)};
}

struct chost_processor_times chost_process_times(void) { return times_of(RUSAGE_SELF); }

struct chost_processor_times chost_thread_times(void) { return times_of(RUSAGE_THREAD); }
