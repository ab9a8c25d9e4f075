#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Listens on a new UNIX stream socket with so many places in its queue; a private one's name has mode 0600 from the
// beginning. A socket that nobody listens on any more, which a process that was killed left there, is replaced. The
// descriptor, not blocking, or minus errno: -EADDRINUSE where something else has the path, -ENAMETOOLONG where no
// socket can have it.
int chost_socket_listen(const char *_Nonnull path, int backlog, bool is_private);

// Whether a socket is there, or a link to one, that nobody listens on any more.
bool chost_socket_is_stale(const char *_Nonnull path);

// Connects to a UNIX stream socket, which may take so many milliseconds: a blocking descriptor, or minus errno,
// -EAGAIN where the time was over. Sending may take as long, too.
int chost_socket_connect(const char *_Nonnull path, int milliseconds);

// The same without waiting: a descriptor that does not block either, or minus errno, -EAGAIN where the other side's
// queue is full.
int chost_socket_connect_now(const char *_Nonnull path);

// Sends all of the bytes to a blocking socket: 0 or minus errno, -EAGAIN where it took longer than it may.
int chost_socket_send_all(int peer, const void *_Nonnull buffer, size_t count);

// Whether a socket's peer is a process of this user or of root.
bool chost_socket_peer_is_ours(int peer);

// Makes a folder for this user alone, unless there is one: 0 or minus errno, -EPERM where it is something else, or
// others own it or may enter.
int chost_private_folder(const char *_Nonnull path);

// The same for one that has to be there.
int chost_private_folder_check(const char *_Nonnull path);

// Opens a file, which is made where it is not there, and waits until it is locked for this opening alone: the
// descriptor, or minus errno.
int chost_lock_file(const char *_Nonnull path);

// Listens on a TCP port of 127.0.0.1, 0 for one that is free, with one place in its queue. The descriptor, not
// blocking, or minus errno: -EADDRINUSE where somebody has the port.
int chost_loopback_listen(uint16_t port);

// The port that is listened on, or minus errno.
int chost_socket_port(int listener);

// Has a connection send small pieces without waiting for more.
void chost_socket_send_at_once(int peer);

// Sends what there is room for: the number of bytes, or minus errno, -EAGAIN where there is none.
int64_t chost_peer_send(int peer, const void *_Nonnull buffer, size_t count);

// Waits until a peer has sent something, or has room, or an event was signalled; -1 waits for ever.
void chost_wait_for_peer(int peer, bool wants_room, int event, int milliseconds);

// Whether that would do, and nothing is made: 0 or minus errno.
int chost_socket_check(const char *_Nonnull path);

// Whether something could be made at that path, where there is nothing yet: 0 or minus errno.
int chost_folder_check(const char *_Nonnull path);

// The next peer's descriptor, not blocking, or minus errno: -EAGAIN where there is none.
int chost_socket_accept(int listener);

// A second descriptor for the same thing, closed on exec, or minus errno.
int chost_duplicate(int descriptor);

// Has a descriptor lead to what another one leads to, closed on exec, and lets go of what it led to: 0 or minus errno.
int chost_replace(int descriptor, int with);

// Whether the descriptor can be read and written, or minus errno where it is not open.
int chost_access_mode(int descriptor, bool *_Nonnull can_read, bool *_Nonnull can_write);

// Reads what is there at once, whether or not the descriptor blocks: the number of bytes, or minus errno, -EAGAIN where
// there is nothing. 0 bytes are the end.
int64_t chost_channel_read(int descriptor, bool is_socket, void *_Nonnull buffer, size_t count);

// Whether the other side has gone for good: nothing that is written arrives.
bool chost_channel_has_hung_up(int descriptor);

// Whether something is there to be read, also from one that has gone.
bool chost_channel_has_input(int descriptor);
