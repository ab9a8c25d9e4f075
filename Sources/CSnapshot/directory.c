#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CSnapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

// XFS's is in no header that programs get.
enum { XFS_MAGIC = 0x58465342 };

int csnapshot_open_directory(int directory, const char *path) {
  const int opened = openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return opened < 0 ? -errno : opened;
}

int csnapshot_create_file(int directory, const char *name) {
  const int file = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  return file < 0 ? -errno : file;
}

// Where the number of blocks tells what a file has: a file system that compresses has fewer.
static bool counts_blocks(int descriptor) {
  struct statfs filesystem;
  if (fstatfs(descriptor, &filesystem) != 0)
    return false;
  const unsigned long type = (unsigned long)filesystem.f_type;
  return type == TMPFS_MAGIC || type == EXT4_SUPER_MAGIC || type == XFS_MAGIC;
}

int csnapshot_open_file(int directory, const char *name, struct csnapshot_file *file) {
  const int opened = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (opened < 0)
    return -errno;
  struct stat status;
  int error = fstat(opened, &status) == 0 ? 0 : errno;
  if (error == 0 && !S_ISREG(status.st_mode))
    error = EBADF;
  if (error != 0) {
    close(opened);
    return -error;
  }
  file->size = (uint64_t)status.st_size;
  file->allocated = counts_blocks(opened) ? (uint64_t)status.st_blocks * 512 : UINT64_MAX;
  return opened;
}

// Whether a name is no more than the directory itself or its parent.
static bool is_dots(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

// An opening of its own, whose position nobody else moves.
static DIR *list(int directory) {
  const int opened = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *names = opened < 0 ? NULL : fdopendir(opened);
  if (!names && opened >= 0)
    close(opened);
  return names;
}

static bool ends_in(const char *name, const char *end) {
  const size_t length = strlen(name), count = strlen(end);
  return length > count && memcmp(name + length - count, end, count) == 0;
}

// Whether a snapshot's directory has its files alone, by their names.
static bool has_only_ours(int directory, const char *manifest) {
  DIR *names = list(directory);
  if (!names)
    return false;
  bool is_so = true;
  for (const struct dirent *entry; is_so && (entry = readdir(names));)
    is_so = is_dots(entry->d_name) || strcmp(entry->d_name, manifest) == 0 || ends_in(entry->d_name, ".state") ||
            ends_in(entry->d_name, ".memory");
  closedir(names);
  return is_so;
}

enum csnapshot_place csnapshot_look(int directory, const char *name, const char *manifest) {
  struct stat status;
  if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? csnapshot_place_free : csnapshot_place_other;
  const int opened = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (opened < 0)
    return csnapshot_place_other;
  enum csnapshot_place place = csnapshot_place_other;
  if (fstatat(opened, manifest, &status, AT_SYMLINK_NOFOLLOW) == 0) {
    if (S_ISREG(status.st_mode) && has_only_ours(opened, manifest))
      place = csnapshot_place_snapshot;
  } else {
    DIR *names = list(opened);
    const struct dirent *entry = NULL;
    while (names && (entry = readdir(names)) && is_dots(entry->d_name))
      ;
    if (names && !entry)
      place = csnapshot_place_empty;
    if (names)
      closedir(names);
  }
  close(opened);
  return place;
}

static int try_lock(int directory, bool is_shared) {
  if (flock(directory, (is_shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
    return 0;
  return errno == EWOULDBLOCK ? -EAGAIN : 0;
}

enum { TRIES = 100, PAUSE = 10 }; // milliseconds

int csnapshot_lock(int directory, bool is_shared) {
  // A process that was just started has its parent's locks until it has closed them.
  for (int more = TRIES / 2; more > 0; more--) {
    if (try_lock(directory, is_shared) == 0)
      return 0;
    poll(NULL, 0, PAUSE);
  }
  return try_lock(directory, is_shared);
}

void csnapshot_unlock(int directory) { flock(directory, LOCK_UN); }

int csnapshot_make_directory(int directory, const char *name) {
  if (mkdirat(directory, name, 0700) != 0)
    return -errno;
  const int opened = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (opened < 0)
    return -errno;
  // Before it was locked somebody may have taken it for a dead process's.
  struct stat status, named;
  if (csnapshot_lock(opened, true) == 0 && fstat(opened, &status) == 0 &&
      fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && status.st_ino == named.st_ino)
    return opened;
  close(opened);
  return -EAGAIN;
}

int csnapshot_open_snapshot(int directory, const char *path) {
  for (int more = TRIES; more > 0; more--) {
    const int opened = csnapshot_open_directory(directory, path);
    if (opened < 0)
      return opened;
    // What it is replaced by has its name, perhaps, by the time that it is locked.
    struct stat status, named;
    const int locked = try_lock(opened, true);
    if (locked == 0 && fstat(opened, &status) == 0 && fstatat(directory, path, &named, 0) == 0 &&
        status.st_ino == named.st_ino && status.st_dev == named.st_dev)
      return opened;
    close(opened);
    poll(NULL, 0, locked == 0 ? 0 : PAUSE);
  }
  return -EAGAIN;
}

int csnapshot_resolve(int directory, char *path, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
  const ssize_t count = readlink(link, path, size - 1);
  if (count < 0 || (size_t)count >= size - 1)
    return count < 0 ? -errno : -ENAMETOOLONG;
  path[count] = 0;
  return 0;
}

int csnapshot_rename(int directory, const char *from, const char *to, bool is_exchange) {
  if (renameat2(directory, from, directory, to, is_exchange ? RENAME_EXCHANGE : RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS)
    return -errno;
  // A file system that knows neither: a directory that has something in it is never replaced by a plain renaming, and
  // in place of an exchange there is nothing for a moment.
  char aside[256];
  if (is_exchange) {
    if (snprintf(aside, sizeof aside, "%s.old", from) >= (int)sizeof aside)
      return -ENAMETOOLONG;
    if (renameat(directory, to, directory, aside) != 0)
      return -errno;
  }
  if (renameat(directory, from, directory, to) != 0)
    return -errno;
  if (is_exchange && renameat(directory, aside, directory, from) != 0)
    return -errno;
  return 0;
}

static int remove_files(int directory) {
  DIR *names = list(directory);
  if (!names)
    return -errno;
  int error = 0;
  for (const struct dirent *entry; (entry = readdir(names));)
    if (!is_dots(entry->d_name) && unlinkat(directory, entry->d_name, 0) != 0 && error == 0)
      error = errno;
  closedir(names);
  return -error;
}

int csnapshot_remove(int directory, const char *name) {
  const int opened = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (opened < 0)
    return -errno;
  const int error = remove_files(opened);
  close(opened);
  return unlinkat(directory, name, AT_REMOVEDIR) == 0 ? 0 : error != 0 ? error : -errno;
}

static bool is_leftover(const char *name, const char *prefix, const char *suffix) {
  const size_t length = strlen(name), start = strlen(prefix), end = strlen(suffix);
  return length > start + end && memcmp(name, prefix, start) == 0 && memcmp(name + length - end, suffix, end) == 0;
}

void csnapshot_remove_leftovers(int directory, const char *prefix, const char *suffix) {
  DIR *names = list(directory);
  if (!names)
    return;
  for (const struct dirent *entry; (entry = readdir(names));) {
    if (!is_leftover(entry->d_name, prefix, suffix))
      continue;
    const int opened = openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (opened < 0)
      continue;
    // Where there are no locks, nobody knows whether it is still written.
    if (flock(opened, LOCK_EX | LOCK_NB) == 0 && remove_files(opened) == 0)
      unlinkat(directory, entry->d_name, AT_REMOVEDIR);
    close(opened);
  }
  closedir(names);
}

int csnapshot_flush(int descriptor) { return fsync(descriptor) == 0 || errno == EINVAL ? 0 : -errno; }

int csnapshot_status(int descriptor, struct csnapshot_status *status) {
  struct stat found;
  if (fstat(descriptor, &found) != 0)
    return -errno;
  status->size = (uint64_t)found.st_size;
  status->inode = (uint64_t)found.st_ino;
  status->change_time = (int64_t)found.st_ctim.tv_sec * 1000000000 + found.st_ctim.tv_nsec;
  return 0;
}

int csnapshot_read_at(int descriptor, void *buffer, size_t count, uint64_t offset) {
  for (size_t done = 0; done < count;) {
    const ssize_t got = pread(descriptor, (char *)buffer + done, count - done, (off_t)(offset + done));
    if (got == 0)
      return -EIO;
    if (got > 0)
      done += (size_t)got;
    else if (errno != EINTR)
      return -errno;
  }
  return 0;
}

int csnapshot_write_at(int descriptor, const void *buffer, size_t count, uint64_t offset) {
  for (size_t done = 0; done < count;) {
    const ssize_t put = pwrite(descriptor, (const char *)buffer + done, count - done, (off_t)(offset + done));
    if (put == 0)
      return -ENOSPC;
    if (put > 0)
      done += (size_t)put;
    else if (errno != EINTR)
      return -errno;
  }
  return 0;
}

uint64_t csnapshot_next_data(int descriptor, uint64_t offset, uint64_t size) {
  const off_t next = lseek(descriptor, (off_t)offset, SEEK_DATA);
  if (next >= 0)
    return (uint64_t)next < size ? (uint64_t)next : size;
  return errno == ENXIO ? size : offset;
}
