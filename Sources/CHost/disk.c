#define _GNU_SOURCE
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

int chost_disk_open(const char *path, bool is_read_only) {
  int descriptor = open(path, (is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  return descriptor < 0 ? -errno : descriptor;
}

int chost_disk_describe(int descriptor, struct chost_disk *disk) {
  struct stat status;
  if (fstat(descriptor, &status) != 0)
    return -errno;
  *disk = (struct chost_disk){.logical_block = 512, .physical_block = 4096};
  if (S_ISREG(status.st_mode)) {
    struct statfs filesystem;
    disk->size = (uint64_t)status.st_size;
    disk->discard_block = 4096;
    disk->never_waits =
        fstatfs(descriptor, &filesystem) == 0 &&
        ((unsigned long)filesystem.f_type == TMPFS_MAGIC || (unsigned long)filesystem.f_type == RAMFS_MAGIC);
    return 0;
  }
  if (S_ISDIR(status.st_mode))
    return -EISDIR;
  if (!S_ISBLK(status.st_mode))
    return -ENOTBLK;
  int logical = 512;
  unsigned int physical = 4096;
  if (ioctl(descriptor, BLKGETSIZE64, &disk->size) != 0)
    return -errno;
  if (ioctl(descriptor, BLKSSZGET, &logical) == 0 && logical >= 512)
    disk->logical_block = (uint32_t)logical;
  if (ioctl(descriptor, BLKPBSZGET, &physical) == 0 && physical >= disk->logical_block)
    disk->physical_block = physical;
  disk->discard_block = disk->physical_block;
  disk->is_device = true;
  return 0;
}

int chost_disk_identify(int descriptor, struct chost_disk_identity *identity) {
  struct stat status;
  if (fstat(descriptor, &status) != 0)
    return -errno;
  identity->inode = (uint64_t)status.st_ino;
  identity->change_time = (int64_t)status.st_ctim.tv_sec * 1000000000 + status.st_ctim.tv_nsec;
  return 0;
}

enum { LOCK_TRIES = 50, LOCK_PAUSE = 10 }; // milliseconds

int chost_disk_lock(int descriptor, bool is_read_only) {
  struct flock lock = {.l_type = is_read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
  // A process that this one was just started from, or has just started, has its locks until it has closed them.
  for (int more = LOCK_TRIES;; more--) {
    if (fcntl(descriptor, F_OFD_SETLK, &lock) == 0)
      return 0;
    if (errno != EACCES && errno != EAGAIN)
      return -errno;
    if (more == 0)
      return -EAGAIN;
    poll(NULL, 0, LOCK_PAUSE);
  }
}

void chost_disk_unlock(int descriptor) {
  struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
  fcntl(descriptor, F_OFD_SETLK, &lock);
}

// Takes `moved` bytes off the front of the vectors.
static void advance(struct iovec **vectors, int *count, size_t moved) {
  while (*count > 0 && moved >= (*vectors)->iov_len) {
    moved -= (*vectors)->iov_len;
    (*vectors)++;
    (*count)--;
  }
  if (*count > 0) {
    (*vectors)->iov_base = (char *)(*vectors)->iov_base + moved;
    (*vectors)->iov_len -= moved;
  }
}

int chost_disk_read(int descriptor, void *vectors, int count, uint64_t offset) {
  struct iovec *left = vectors;
  while (count > 0) {
    ssize_t moved = preadv(descriptor, left, count, (off_t)offset);
    if (moved < 0 && errno == EINTR)
      continue;
    if (moved <= 0)
      return moved < 0 ? -errno : -EIO;
    offset += (uint64_t)moved;
    advance(&left, &count, (size_t)moved);
  }
  return 0;
}

int chost_disk_write(int descriptor, void *vectors, int count, uint64_t offset) {
  struct iovec *left = vectors;
  while (count > 0) {
    ssize_t moved = pwritev(descriptor, left, count, (off_t)offset);
    if (moved < 0 && errno == EINTR)
      continue;
    if (moved <= 0)
      return moved < 0 ? -errno : -EIO;
    offset += (uint64_t)moved;
    advance(&left, &count, (size_t)moved);
  }
  return 0;
}

int64_t chost_disk_read_cached(int descriptor, const void *vectors, int count, uint64_t offset) {
  ssize_t moved = preadv2(descriptor, vectors, count, (off_t)offset, RWF_NOWAIT);
  return moved < 0 ? -errno : moved;
}

int chost_disk_flush(int descriptor) {
  while (fdatasync(descriptor) != 0)
    if (errno != EINTR)
      return -errno;
  return 0;
}

int chost_disk_discard(int descriptor, bool is_device, uint64_t offset, uint64_t count) {
  uint64_t range[2] = {offset, count};
  int result = is_device ? ioctl(descriptor, BLKDISCARD, range)
                         : fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)count);
  // A hint: a host that cannot take it keeps the bytes.
  return result == 0 || errno == EOPNOTSUPP ? 0 : -errno;
}

// For file systems that know neither zeroing nor holes.
static int write_zero_bytes(int descriptor, uint64_t offset, uint64_t count) {
  static const char zeroes[1 << 16];
  while (count > 0) {
    ssize_t written = pwrite(descriptor, zeroes, count < sizeof zeroes ? count : sizeof zeroes, (off_t)offset);
    if (written < 0 && errno != EINTR)
      return -errno;
    if (written > 0) {
      offset += (uint64_t)written;
      count -= (uint64_t)written;
    }
  }
  return 0;
}

int chost_disk_write_zeroes(int descriptor, bool is_device, uint64_t offset, uint64_t count, bool may_discard) {
  if (is_device) {
    uint64_t range[2] = {offset, count};
    return ioctl(descriptor, BLKZEROOUT, range) == 0 ? 0 : -errno;
  }
  // Behind the end of a file that was cut zeroes make it longer, as any other bytes do. A hole there would not.
  struct stat status;
  bool is_inside = fstat(descriptor, &status) == 0 && offset + count <= (uint64_t)status.st_size;
  const int modes[] = {FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE};
  for (int index = may_discard && is_inside ? 0 : 1; index < 2; index++)
    if (fallocate(descriptor, modes[index], (off_t)offset, (off_t)count) == 0)
      return 0;
    else if (errno != EOPNOTSUPP && errno != EINVAL)
      return -errno;
  return write_zero_bytes(descriptor, offset, count);
}
