#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "foreign.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// A place is free while its base is 0. The handler reads it at any moment, so the base is stored last and cleared
// first.
static struct {
  atomic_uintptr_t base;
  atomic_size_t size;
  atomic_bool is_lost;
} mappings[CHOST_FOREIGN_MAPPINGS];
static pthread_mutex_t places = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint_fast64_t losses;
static struct sigaction former;
static uintptr_t page_size;

static bool put_zeroes(uintptr_t start, uintptr_t end) {
  return mmap((void *)start, end - start, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

// Puts zeroes over what is missing, from the page that was touched to the mapping's end; over all of it where its pages
// are larger than usual. False: the address is in no such mapping.
static bool mend(uintptr_t address) {
  for (int index = 0; index < CHOST_FOREIGN_MAPPINGS; index++) {
    const uintptr_t base = atomic_load(&mappings[index].base), size = atomic_load(&mappings[index].size);
    if (base == 0 || address - base >= size)
      continue;
    if (!put_zeroes(address & ~(page_size - 1), base + size) && !put_zeroes(base, base + size))
      return false;
    atomic_store(&mappings[index].is_lost, true);
    atomic_fetch_add(&losses, 1);
    return true;
  }
  return false;
}

static void handle_bus_error(int signal, siginfo_t *information, void *context) {
  const int error = errno;
  const bool is_mended = information->si_code > 0 && mend((uintptr_t)information->si_addr);
  errno = error;
  if (is_mended)
    return;
  if (former.sa_flags & SA_SIGINFO) {
    former.sa_sigaction(signal, information, context);
  } else if (former.sa_handler != SIG_DFL && former.sa_handler != SIG_IGN) {
    former.sa_handler(signal);
  } else {
    // The access comes again, and ends the process as it would have.
    sigaction(signal, &former, NULL);
  }
}

static void install_handler(void) {
  page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
  struct sigaction action = {.sa_sigaction = handle_bus_error, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, &former);
}

static void *map(int descriptor, uint64_t offset, size_t size, int sharing) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, install_handler);
  void *base = MAP_FAILED;
  int error = ENOSPC;
  pthread_mutex_lock(&places);
  for (int index = 0; index < CHOST_FOREIGN_MAPPINGS; index++) {
    if (atomic_load(&mappings[index].base) != 0)
      continue;
    base = mmap(NULL, size, PROT_READ | PROT_WRITE, sharing | MAP_NORESERVE, descriptor, (off_t)offset);
    error = errno;
    if (base != MAP_FAILED) {
      atomic_store(&mappings[index].size, size);
      atomic_store(&mappings[index].is_lost, false);
      atomic_store(&mappings[index].base, (uintptr_t)base);
    }
    break;
  }
  pthread_mutex_unlock(&places);
  errno = error;
  return base == MAP_FAILED ? NULL : base;
}

void *chost_foreign_map(int descriptor, uint64_t offset, size_t size) {
  return map(descriptor, offset, size, MAP_SHARED);
}

void *chost_foreign_map_private(int descriptor, uint64_t offset, size_t size) {
  return map(descriptor, offset, size, MAP_PRIVATE);
}

static int place_of(const void *base) {
  for (int index = 0; index < CHOST_FOREIGN_MAPPINGS; index++)
    if (atomic_load(&mappings[index].base) == (uintptr_t)base)
      return index;
  return -1;
}

void chost_foreign_unmap(void *base, size_t size) {
  pthread_mutex_lock(&places);
  const int index = place_of(base);
  if (index >= 0)
    atomic_store(&mappings[index].base, 0);
  munmap(base, size);
  pthread_mutex_unlock(&places);
}

bool chost_foreign_is_lost(const void *base) {
  const int index = place_of(base);
  return index >= 0 && atomic_load(&mappings[index].is_lost);
}

uint64_t chost_foreign_losses(void) { return atomic_load(&losses); }

chost_notifier chost_notifier_of(int descriptor) {
  struct stat status;
  if (fstat(descriptor, &status) != 0)
    return chost_notifier_none;
  // What has no place in a file system has no type either.
  const mode_t type = status.st_mode & S_IFMT;
  return type == 0 ? chost_notifier_event : type == S_IFIFO ? chost_notifier_pipe : chost_notifier_none;
}
