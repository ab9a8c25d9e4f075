#include "events.h"

#include <sys/resource.h>

static uint64_t nanoseconds(struct timeval time) {
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_usec * 1000;
}

struct chost_process_times chost_process_times(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (struct chost_process_times){.user = nanoseconds(usage.ru_utime), .system = nanoseconds(usage.ru_stime)};
}
