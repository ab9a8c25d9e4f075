#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "dma_window.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int chost_sealed_memory(const char *name, size_t size, const char **attempt) {
  *attempt = "memfd_create";
  int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0)
    return -1;
  *attempt = "ftruncate";
  if (ftruncate(descriptor, (off_t)size) == 0) {
    *attempt = "fcntl(F_ADD_SEALS)";
    if (fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
      return descriptor;
  }
  int reason = errno;
  close(descriptor);
  errno = reason;
  return -1;
}

int chost_memory_give_back(int descriptor, uint64_t offset, uint64_t count) {
  int result;
  do
    result = fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)count);
  while (result != 0 && errno == EINTR);
  return result;
}

int64_t chost_memory_allocated(int descriptor) {
  struct stat status;
  // Blocks are of 512 bytes whatever the file's own are.
  return fstat(descriptor, &status) == 0 ? (int64_t)status.st_blocks * 512 : -1;
}
