#pragma once

#include <stddef.h>
#include <stdint.h>

// Messages of a UNIX stream socket that carry descriptors. Nothing here blocks or raises SIGPIPE.

// How many descriptors come with one message at most; the kernel closes those beyond.
#define CHOST_MESSAGE_DESCRIPTORS 8

// Sends bytes with descriptors, which stay the caller's: how many bytes were taken, or a negative errno.
int64_t chost_message_send(int socket, const void *_Nonnull bytes, size_t size, const int *_Nullable descriptors,
                           int descriptor_count);

// Receives up to `size` bytes, and up to CHOST_MESSAGE_DESCRIPTORS descriptors, which are the caller's then and
// close-on-exec: how many bytes there were, 0 at the end, or a negative errno.
int64_t chost_message_receive(int socket, void *_Nonnull buffer, size_t size, int *_Nonnull descriptors,
                              int *_Nonnull descriptor_count);

// A pipe by which another process is told to look at a queue, as by an eventfd: eight bytes for each time. Of a pipe
// each end has flags of its own, so no writer waits, whatever the other process makes of its end. `end` is for it.
int chost_kick_pipe(int *_Nonnull end, int *_Nonnull start);

// Tells it. In a pipe that is full there is more to be read than that already.
void chost_kick(int start);

// The process that listened or connected at the other end of a UNIX socket when that was made, or a negative errno.
int chost_socket_peer_process(int socket);

// Makes a socket that listens and has one connection waiting, whose other end is `peer`. Nobody else can connect: its
// name was in a folder of its own, and is gone. `folder`: where there may be sockets, for a moment. 0, or a negative
// errno.
int chost_listening_pair(const char *_Nonnull folder, int *_Nonnull listener, int *_Nonnull peer);
