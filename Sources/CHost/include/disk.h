#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Disk images and block devices. All calls return 0 or more, or minus errno.

struct chost_disk {
  uint64_t size;           // bytes
  uint32_t logical_block;  // bytes
  uint32_t physical_block; // bytes
  uint32_t discard_block;  // bytes; 0: cannot discard
  bool is_device;          // a block device, not a file
  bool never_waits;        // its bytes are in memory: reading and writing take no time worth a thread
};

struct chost_disk_identity {
  uint64_t inode;
  int64_t change_time; // nanoseconds since 1970
};

int chost_disk_identify(int descriptor, struct chost_disk_identity *_Nonnull identity);

// SHA-256 of the first `size` bytes, which takes as long as reading them. -EIO where the file has less.
int chost_sha256_of_file(int descriptor, uint64_t size, uint8_t *_Nonnull digest);

// The path without waiting for anything. The file is not locked yet.
int chost_disk_open(const char *_Nonnull path, bool is_read_only);

// -EISDIR or -ENOTBLK for what is neither a regular file nor a block device.
int chost_disk_describe(int descriptor, struct chost_disk *_Nonnull disk);

// A lock of the open file: shared for readers, exclusive for a writer. -EAGAIN if somebody else holds it.
int chost_disk_lock(int descriptor, bool is_read_only);

// Ends the lock of the open file, also where a process that was just started still has the descriptor.
void chost_disk_unlock(int descriptor);

// `vectors` are `count` times an address and a size, like the C library's struct iovec. All of them are moved, or it is
// an error, as the end of a file that was cut is. The vectors are used up.
int chost_disk_read(int descriptor, void *_Nullable vectors, int count, uint64_t offset);
int chost_disk_write(int descriptor, void *_Nullable vectors, int count, uint64_t offset);

// The bytes read without waiting for a disk, or minus errno where it would have to wait.
int64_t chost_disk_read_cached(int descriptor, const void *_Nullable vectors, int count, uint64_t offset);

// Everything that was written to stable storage.
int chost_disk_flush(int descriptor);

// Where the host cannot, nothing happens, and that is no error.
int chost_disk_discard(int descriptor, bool is_device, uint64_t offset, uint64_t count);

// Makes a file longer that ends before. A block device keeps its space whatever `may_discard` says.
int chost_disk_write_zeroes(int descriptor, bool is_device, uint64_t offset, uint64_t count, bool may_discard);
