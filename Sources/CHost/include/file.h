#pragma once

#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

enum chost_file_kind {
  chost_file_regular,
  chost_file_directory,
  chost_file_pipe,
  chost_file_socket,
  chost_file_character_device,
  chost_file_block_device,
};

// A descriptor, or -1 with errno. It never waits for the other end of a pipe and never takes a terminal over.
int chost_open_for_reading(const char *_Nonnull path);

// For a file that stays open until the process ends, and is not locked yet. It is closed once, by another number: most
// file systems in user space do not care about a closing, which the kernel learns with the first one. It would ask at
// the process's end otherwise, and not let it end where the server has stopped meanwhile.
void chost_keep_open(int descriptor);

// A new empty file in memory, or -1 with errno. The name is for /proc only.
int chost_open_memory_file(const char *_Nonnull name);

// What stands behind the descriptor and, for a regular file, its size in bytes; -1 with errno.
int chost_file_status(int descriptor, enum chost_file_kind *_Nonnull kind, uint64_t *_Nonnull size);

// Reads `count` bytes, fewer only at the end of the file: how many, or -1 with errno.
int64_t chost_read_at(int descriptor, void *_Nonnull buffer, size_t count, uint64_t offset);

// Writes all `count` bytes: 0, or -1 with errno.
int chost_write_all(int descriptor, const void *_Nonnull buffer, size_t count);
