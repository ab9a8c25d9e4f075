#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CTestSupport.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

// The version of the FUSE protocol that is spoken here; a kernel speaks each that is older than its own.
enum { fuse_major = 7, fuse_minor = 31, largest_write = 1 << 17 };
// The numbers of the folder and of its one file.
enum { folder_node = FUSE_ROOT_ID, image_node = 2 };

static const char image_name[] = "image";
static char image[16 << 20];
// A request of the largest write and what is around it.
static char request[largest_write + 8192] __attribute__((aligned(8)));

static void answer(int device, uint64_t unique, int error, const void *data, size_t size) {
  struct fuse_out_header header = {.len = (uint32_t)(sizeof header + size), .error = error, .unique = unique};
  struct iovec parts[] = {{&header, sizeof header}, {(void *)data, size}};
  // The kernel may have given the request up by now.
  if (writev(device, parts, size > 0 ? 2 : 1) < 0)
    return;
}

static struct fuse_attr attributes(uint64_t node) {
  struct fuse_attr result = {.ino = node, .mode = S_IFDIR | 0755, .nlink = 1, .blksize = 4096};
  if (node == image_node) {
    result.mode = S_IFREG | 0600;
    result.size = sizeof image;
    result.blocks = sizeof image / 512;
  }
  return result;
}

static void serve(int device, const struct fuse_in_header *header, const void *body) {
  switch (header->opcode) {
  case FUSE_INIT: {
    struct fuse_init_out reply = {.major = fuse_major, .minor = fuse_minor, .max_write = largest_write};
    return answer(device, header->unique, 0, &reply, sizeof reply);
  }
  case FUSE_LOOKUP: {
    if (strcmp(body, image_name) != 0)
      return answer(device, header->unique, -ENOENT, NULL, 0);
    struct fuse_entry_out reply = {.nodeid = image_node, .attr = attributes(image_node)};
    return answer(device, header->unique, 0, &reply, sizeof reply);
  }
  case FUSE_GETATTR: {
    struct fuse_attr_out reply = {.attr = attributes(header->nodeid)};
    return answer(device, header->unique, 0, &reply, sizeof reply);
  }
  case FUSE_OPEN: {
    struct fuse_open_out reply = {.fh = 0};
    return answer(device, header->unique, 0, &reply, sizeof reply);
  }
  case FUSE_READ: {
    const struct fuse_read_in *what = body;
    const uint64_t offset = what->offset < sizeof image ? what->offset : sizeof image;
    const uint64_t rest = sizeof image - offset;
    return answer(device, header->unique, 0, image + offset, what->size < rest ? what->size : rest);
  }
  case FUSE_RELEASE: return answer(device, header->unique, 0, NULL, 0);
  case FUSE_FORGET:
  case FUSE_BATCH_FORGET:
  case FUSE_INTERRUPT: return;
  default: return answer(device, header->unique, -ENOSYS, NULL, 0);
  }
}

// A user and a mount namespace of one's own, for who is not root. Then the caller is root there.
static int enter_namespaces(void) {
  const unsigned user = geteuid();
  char line[32];
  const int length = snprintf(line, sizeof line, "0 %u 1", user);
  if (user == 0)
    return 0;
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
    return -errno;
  int map = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
  int result = map >= 0 && write(map, line, (size_t)length) == length ? 0 : -errno;
  if (map >= 0)
    close(map);
  return result;
}

// In the new process.
static void run(const char *folder, int ready) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int error = enter_namespaces();
  int device = error == 0 ? open("/dev/fuse", O_RDWR | O_CLOEXEC) : -1;
  char options[80];
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
  if (error == 0 && (device < 0 || mount("apus-test", folder, "fuse", MS_NOSUID | MS_NODEV, options) != 0))
    error = -errno;
  if (write(ready, &error, sizeof error) != sizeof error || error != 0)
    _exit(1);
  close(ready);
  while (1) {
    const ssize_t count = read(device, request, sizeof request);
    if (count >= (ssize_t)sizeof(struct fuse_in_header))
      serve(device, (const void *)request, request + sizeof(struct fuse_in_header));
    else if (count < 0 && errno == ENODEV)
      _exit(0);
  }
}

pid_t ctest_file_system_start(const char *folder) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return -errno;
  pid_t process = fork();
  if (process == 0)
    run(folder, ends[1]);
  int error = process < 0 ? -errno : -EPIPE;
  close(ends[1]);
  if (process > 0 && read(ends[0], &error, sizeof error) != sizeof error)
    error = -EPIPE;
  close(ends[0]);
  return error == 0 ? process : error;
}

void ctest_file_system_end(pid_t process, const char *folder) {
  kill(process, SIGKILL);
  // Another namespace's goes with its last process.
  umount2(folder, MNT_DETACH);
}
