// What a snapshot's files need of Linux and of the processor: directories that nobody leads astray, locks, checksums,
// and the memory that goes into a file.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// CRC-32C (Castagnoli), continued: that of nothing is 0.
uint32_t csnapshot_crc32c(uint32_t crc, const void *_Nullable bytes, size_t count);

// The same without the processor's instructions for it.
uint32_t csnapshot_crc32c_by_table(uint32_t crc, const void *_Nullable bytes, size_t count);

// Directories. Names are of one part. All calls return 0 or more, or minus errno.

// The directory that a path leads to from another one, AT_FDCWD included.
int csnapshot_open_directory(int directory, const char *_Nonnull path);

// A new file of this user's alone, to be read and written.
int csnapshot_create_file(int directory, const char *_Nonnull name);

struct csnapshot_file {
  uint64_t size;      // bytes
  uint64_t allocated; // bytes that the file system has given it; UINT64_MAX where that says nothing
};

// A regular file, to be read. -ELOOP for a symbolic link, -EBADF for what is no file else.
int csnapshot_open_file(int directory, const char *_Nonnull name, struct csnapshot_file *_Nonnull file);

enum csnapshot_place { csnapshot_place_free, csnapshot_place_snapshot, csnapshot_place_empty, csnapshot_place_other };

// What has a name: nothing, a directory with a manifest, one with nothing in it, or something else.
enum csnapshot_place csnapshot_look(int directory, const char *_Nonnull name, const char *_Nonnull manifest);

// A snapshot's directory, locked so that nobody replaces it: -EAGAIN where somebody does so for long.
int csnapshot_open_snapshot(int directory, const char *_Nonnull path);

// A new directory of this user's alone, locked so that nobody takes it for a dead process's.
int csnapshot_make_directory(int directory, const char *_Nonnull name);

// A lock of the open directory, shared or exclusive, without waiting. -EAGAIN if somebody else holds it; 0 also where
// the file system has no locks.
int csnapshot_lock(int directory, bool is_shared);

// Gives the lock back, also where other descriptors of the same opening are still open.
void csnapshot_unlock(int directory);

// The path that leads there without links and dots: 0 or minus errno.
int csnapshot_resolve(int directory, char *_Nonnull path, size_t size);

// Gives what is called `from` the name `to`: a free one, or, where it is to be replaced, in exchange.
int csnapshot_rename(int directory, const char *_Nonnull from, const char *_Nonnull to, bool is_exchange);

// Removes a directory and the files in it. What has directories in it itself stays.
int csnapshot_remove(int directory, const char *_Nonnull name);

// Removes the directories whose names begin and end like this, and which nobody has locked any more.
void csnapshot_remove_leftovers(int directory, const char *_Nonnull prefix, const char *_Nonnull suffix);

// Everything that was written to stable storage.
int csnapshot_flush(int descriptor);

struct csnapshot_status {
  uint64_t size;        // bytes
  uint64_t inode;       // its number in its file system
  int64_t change_time;  // nanoseconds since 1970
};

// What a disk's file is known by.
int csnapshot_status(int descriptor, struct csnapshot_status *_Nonnull status);

// Memory.

// Which pages of a mapping go into its file.
enum csnapshot_pages {
  // Those that the process has, and those that are marked because a file behind the mapping has them; not those that
  // are zero.
  csnapshot_pages_all,
  // Those that are marked.
  csnapshot_pages_marked,
  // Those that are no longer the mapped file's; marked are those where the file isn't mapped any longer.
  csnapshot_pages_private,
};

enum { CSNAPSHOT_BLOCK = 2 << 20 };

// Pages one after the other, in one number: the first one's index in bits 0 to 31, how many in bits 32 to 62. Bit 63:
// they are zero, and the file has a hole there.
#define CSNAPSHOT_RUN_ZERO (1ull << 63)

// A mapping on its way into a file. It is in memory that a child shares.
struct csnapshot_image {
  const uint8_t *_Nonnull base;
  uint64_t size; // bytes, a multiple of the page's
  uint32_t page_size; // bytes
  enum csnapshot_pages pages;
  int source; // the file in memory that the mapping shows, or -1 where it is private
  int file; // where the pages go: byte N of the mapping is byte N of the file
  bool has_checksums;
  uint32_t seed; // what the blocks' checksums begin with
  const uint64_t *_Nullable marks; // bit N % 64 of word N / 64 is page N's
  // What it came to.
  int error;
  uint64_t stored; // bytes that are in the file
  uint64_t run_count;
  uint64_t *_Nonnull runs; // as many as there are pages at most
  uint32_t *_Nonnull blocks; // one for each block: the checksum of what of it is in the file, 0 where nothing is
  uint64_t *_Nonnull entries; // for the function's own use
};

// NULL with errno.
struct csnapshot_image *_Nullable csnapshot_image_make(uint64_t size, uint32_t page_size);
void csnapshot_image_free(struct csnapshot_image *_Nonnull image);

// Writes the pages: 0 or minus errno.
int csnapshot_image_write(struct csnapshot_image *_Nonnull image);

// Has a child, which has the memory as it is now, write the pages of each. `process` becomes its number; the descriptor
// has a byte to read when all are written, and ends without one if the child did. It goes with its parent, or with the
// descriptor. -errno where there is none.
int csnapshot_images_write_in_child(struct csnapshot_image *_Nonnull const *_Nonnull images, int count,
                                    int *_Nonnull process);

// Waits for that: 0, or -ECHILD where the child ended without it; what became of each image is in its structure. The
// descriptor is closed.
int csnapshot_child_end(int descriptor, int process);

// Reads or writes all the bytes: 0 or minus errno, -EIO at the file's end.
int csnapshot_read_at(int descriptor, void *_Nonnull buffer, size_t count, uint64_t offset);
int csnapshot_write_at(int descriptor, const void *_Nonnull buffer, size_t count, uint64_t offset);

// The first byte from `offset` on that may not be a hole's, in bytes; the file's size where there is none.
uint64_t csnapshot_next_data(int descriptor, uint64_t offset, uint64_t size);

// Whether all bytes are zero.
bool csnapshot_is_zero(const void *_Nonnull bytes, size_t count);
