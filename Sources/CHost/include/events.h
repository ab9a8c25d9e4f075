#pragma once

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

// epoll's structure is packed on some machines and has a union in it; here it is two numbers.
struct chost_event {
  uint64_t token;
  uint32_t events;
};

static inline int chost_epoll_set(int epoll, int operation, int descriptor, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data = {.u64 = token}};
  return epoll_ctl(epoll, operation, descriptor, &event) == 0 ? 0 : -errno;
}

enum { CHOST_EVENT_BATCH = 16 };

// How many events came, or minus errno.
static inline int chost_epoll_wait(int epoll, struct chost_event *_Nonnull events) {
  struct epoll_event native[CHOST_EVENT_BATCH];
  int count = epoll_wait(epoll, native, CHOST_EVENT_BATCH, -1);
  if (count < 0)
    return -errno;
  for (int index = 0; index < count; index++) {
    events[index].token = native[index].data.u64;
    events[index].events = native[index].events;
  }
  return count;
}

static inline int chost_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

static inline int chost_timerfd(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK); }

// Arms the timer once after `nanoseconds`, or takes it back with 0; then every `interval` nanoseconds if that is not 0.
static inline int chost_timer_set(int timer, uint64_t nanoseconds, uint64_t interval) {
  const struct itimerspec when = {
      .it_value = {.tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000)},
      .it_interval = {.tv_sec = (time_t)(interval / 1000000000), .tv_nsec = (long)(interval % 1000000000)},
  };
  return timerfd_settime(timer, 0, &when, NULL) == 0 ? 0 : -errno;
}

// Adds one to an eventfd. It cannot fail but by overflow, which means that the reader knows already.
static inline void chost_eventfd_signal(int descriptor) {
  const uint64_t one = 1;
  ssize_t written = write(descriptor, &one, sizeof one);
  (void)written;
}

// Takes what an eventfd or a timerfd has counted; 0 if nothing.
static inline uint64_t chost_counter_take(int descriptor) {
  uint64_t count = 0;
  return read(descriptor, &count, sizeof count) == sizeof count ? count : 0;
}

static inline uint64_t chost_clock(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct chost_processor_times {
  uint64_t user;
  uint64_t system;
};

// Processor time of the whole process so far, in nanoseconds.
struct chost_processor_times chost_process_times(void);

// The same of the calling thread.
struct chost_processor_times chost_thread_times(void);
