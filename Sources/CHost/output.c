#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

// What O_NONBLOCK means for a descriptor.
enum waiting {
  // Writes wait unless the description has it.
  waiting_unless_nonblocking,
  // Writes never wait: the memory devices null, zero and full, sockets by their flags, files in memory.
  waiting_never,
  // It may mean nothing.
  waiting_perhaps,
};

static enum waiting waiting_of(int descriptor, const struct stat *status) {
  struct statfs filesystem;
  switch (status->st_mode & S_IFMT) {
  case S_IFIFO:
    return waiting_unless_nonblocking;
  case S_IFSOCK:
    return waiting_never;
  case S_IFCHR:
    if (major(status->st_rdev) == 1 &&
        (minor(status->st_rdev) == 3 || minor(status->st_rdev) == 5 || minor(status->st_rdev) == 7))
      return waiting_never;
    return isatty(descriptor) ? waiting_unless_nonblocking : waiting_perhaps;
  case S_IFREG:
    return fstatfs(descriptor, &filesystem) == 0 && ((unsigned long)filesystem.f_type == TMPFS_MAGIC ||
                                                     (unsigned long)filesystem.f_type == RAMFS_MAGIC)
               ? waiting_never
               : waiting_perhaps;
  default:
    return waiting_perhaps;
  }
}

// Opens a terminal or a pipe anew. Not the master of a pseudo-terminal: its name makes another pair.
static int open_anew(int descriptor, int flags) {
  int number;
  if (ioctl(descriptor, TIOCGPTN, &number) == 0)
    return -EINVAL;
  char name[32];
  snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
  int opened = open(name, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  return opened >= 0 ? opened : -errno;
}

int chost_output_open(int descriptor, struct chost_output *output) {
  struct stat status;
  int flags = fcntl(descriptor, F_GETFL);
  if (flags < 0 || fstat(descriptor, &status) != 0)
    return -errno;
  enum waiting waiting = waiting_of(descriptor, &status);
  int own = -1;
  // A description without the right to write has to fail as it would have.
  if (waiting == waiting_unless_nonblocking && (flags & O_ACCMODE) != O_RDONLY)
    own = open_anew(descriptor, flags & O_ACCMODE);
  *output = (struct chost_output){
      .descriptor = own,
      .is_socket = S_ISSOCK(status.st_mode),
      .may_wait = waiting == waiting_perhaps || (waiting == waiting_unless_nonblocking && own < 0),
  };
  // Not among the standard streams' numbers.
  if (own < 0)
    output->descriptor = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  return output->descriptor >= 0 ? 0 : -errno;
}

int chost_output_describe(int descriptor, struct chost_output *output) {
  struct stat status;
  if (fstat(descriptor, &status) != 0)
    return -errno;
  *output = (struct chost_output){
      .descriptor = descriptor,
      .is_socket = S_ISSOCK(status.st_mode),
      .may_wait = waiting_of(descriptor, &status) == waiting_perhaps,
  };
  return 0;
}

int chost_input_open(int descriptor) {
  struct stat status;
  if (fstat(descriptor, &status) != 0)
    return -errno;
  return waiting_of(descriptor, &status) == waiting_unless_nonblocking ? open_anew(descriptor, O_RDONLY) : -EINVAL;
}

int64_t chost_output_write(int descriptor, bool is_socket, const void *buffer, size_t count) {
  ssize_t written;
  do
    written = is_socket ? send(descriptor, buffer, count, MSG_DONTWAIT | MSG_NOSIGNAL) : write(descriptor, buffer, count);
  while (written < 0 && errno == EINTR);
  return written >= 0 ? written : -errno;
}

bool chost_wait(int descriptor, short events, int milliseconds) {
  struct pollfd request = {.fd = descriptor, .events = events};
  return poll(&request, 1, milliseconds) > 0;
}

void chost_pause(int milliseconds) { poll(NULL, 0, milliseconds); }

void chost_wait_for_either(int first, int second, int milliseconds) {
  struct pollfd requests[] = {{.fd = first, .events = POLLIN}, {.fd = second, .events = POLLIN}};
  poll(requests, 2, milliseconds);
}
