#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int chost_open_for_reading(const char *path) {
  int descriptor;
  do
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

void chost_keep_open(int descriptor) {
  int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  if (copy >= 0)
    close(copy);
}

int chost_open_memory_file(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

int chost_file_status(int descriptor, enum chost_file_kind *kind, uint64_t *size) {
  struct stat status;
  if (fstat(descriptor, &status) != 0)
    return -1;
  *size = (uint64_t)status.st_size;
  switch (status.st_mode & S_IFMT) {
  case S_IFDIR:
    *kind = chost_file_directory;
    break;
  case S_IFIFO:
    *kind = chost_file_pipe;
    break;
  case S_IFSOCK:
    *kind = chost_file_socket;
    break;
  case S_IFCHR:
    *kind = chost_file_character_device;
    break;
  case S_IFBLK:
    *kind = chost_file_block_device;
    break;
  default:
    *kind = chost_file_regular;
    break;
  }
  return 0;
}

int64_t chost_read_at(int descriptor, void *buffer, size_t count, uint64_t offset) {
  size_t done = 0;
  while (done < count) {
    ssize_t got = pread(descriptor, (char *)buffer + done, count - done, (off_t)(offset + done));
    if (got == 0)
      break;
    if (got > 0)
      done += (size_t)got;
    else if (errno != EINTR)
      return -1;
  }
  return (int64_t)done;
}

int chost_write_all(int descriptor, const void *buffer, size_t count) {
  for (size_t done = 0; done < count;) {
    ssize_t put = write(descriptor, (const char *)buffer + done, count - done);
    if (put > 0)
      done += (size_t)put;
    else if (put == 0 || errno != EINTR)
      return -1;
  }
  return 0;
}
