// A vCPU that this machine schedules: whenever it stops it is answered, and run again. Where it looks for a PL011 it
// finds one that is always ready; the doorbell is its interrupt.
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tool.h"

enum state { powered_off = 2, reads = 4, writes = 5 };

// PL011 TRM, 3.2 and 3.3.
enum {
  serial_base = 0x9000000,
  serial_end = 0x9001000,
  data_register = 0x00,
  flag_register = 0x18,
  mask_register = 0x38,
  raw_status_register = 0x3C,
  masked_status_register = 0x40,
  is_idle = 0x90,
  transmit_interrupt = 1 << 5,
};

struct proxy {
  int vcpu, bell;
  pthread_t thread;
  u32 mask;
  size_t length;
  char line[256];
  u64 accesses;
};

static u64 answer_read(struct proxy *proxy, u64 address) {
  if (address < serial_base || address >= serial_end)
    fail("the vCPU reads at 0x%llx", (unsigned long long)address);
  switch (address - serial_base) {
  case flag_register: return is_idle;
  case mask_register: return proxy->mask;
  case raw_status_register: return transmit_interrupt;
  case masked_status_register: return transmit_interrupt & proxy->mask;
  default: return 0;
  }
}

static void put_character(struct proxy *proxy, char character) {
  if (character == '\n' || proxy->length == sizeof(proxy->line) - 1) {
    proxy->line[proxy->length] = 0;
    printf("vcpu| %s\n", proxy->line);
    proxy->length = 0;
  }
  if (character != '\n' && character != '\r')
    proxy->line[proxy->length++] = character;
}

static void take_write(struct proxy *proxy, u64 address, u32 value) {
  if (address < serial_base || address >= serial_end)
    fail("the vCPU writes at 0x%llx", (unsigned long long)address);
  switch (address - serial_base) {
  case data_register: put_character(proxy, (char)value); break;
  case mask_register: proxy->mask = value; break;
  default: break;
  }
  // There is room for another character at once: an edge for each that goes, and when the driver begins to want them.
  u64 flags = 1;
  bool is_due = address - serial_base == data_register || address - serial_base == mask_register;
  if (is_due && (proxy->mask & transmit_interrupt) != 0 && write(proxy->bell, &flags, sizeof(flags)) < 0 &&
      errno != EPIPE && errno != ENXIO)
    fail("the serial port's doorbell cannot be rung");
}

static void *run(void *context) {
  struct proxy *proxy = context;
  struct gunyah_run run = {.resume = 0};
  for (;;) {
    if (ioctl(proxy->vcpu, GUNYAH_RUN, &run) < 0)
      fail("the vCPU cannot be run");
    proxy->accesses++;
    switch (run.state) {
    case reads: run.resume = answer_read(proxy, run.data[0]); break;
    case writes: take_write(proxy, run.data[0], (u32)run.data[2]); break;
    case powered_off:
      if ((run.data[0] & 1) != 0)
        return NULL;
      fail("the vCPU is off, and no other could turn it on");
    default: fail("the vCPU is in state %llu", (unsigned long long)run.state);
    }
  }
}

struct proxy *start_proxy(int vcpu, int bell) {
  struct proxy *proxy = calloc(1, sizeof(*proxy));
  if (proxy == NULL)
    fail("no memory for a vCPU");
  proxy->vcpu = vcpu;
  proxy->bell = bell;
  errno = pthread_create(&proxy->thread, NULL, run, proxy);
  if (errno != 0)
    fail("no thread for a vCPU");
  return proxy;
}

void join_proxy(struct proxy *proxy) {
  if (proxy == NULL)
    return;
  pthread_join(proxy->thread, NULL);
  printf("scheduled: %llu accesses\n", (unsigned long long)proxy->accesses);
  close(proxy->vcpu);
  close(proxy->bell);
  free(proxy);
}
