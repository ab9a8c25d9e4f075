#pragma once

#include <stddef.h>
#include <stdint.h>

// Messages of a UNIX stream socket that carry descriptors. Nothing here blocks or raises SIGPIPE.

/// How many descriptors come with one message at most; the kernel closes those beyond.
#define CHOST_MESSAGE_DESCRIPTORS 8

/// Sends bytes with descriptors, which stay the caller's: how many bytes were taken, or a negative errno.
int64_t chost_message_send(int socket, const void *_Nonnull bytes, size_t size, const int *_Nullable descriptors,
                           int descriptor_count);

/// Receives up to `size` bytes, and up to CHOST_MESSAGE_DESCRIPTORS descriptors, which are the caller's then and
/// close-on-exec: how many bytes there were, 0 at the end, or a negative errno.
int64_t chost_message_receive(int socket, void *_Nonnull buffer, size_t size, int *_Nonnull descriptors,
                              int *_Nonnull descriptor_count);
