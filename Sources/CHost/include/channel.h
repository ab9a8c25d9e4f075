#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Listens on a new UNIX stream socket with one place in its queue. A socket that nobody listens on any more, which a
// process that was killed left there, is replaced. The descriptor, not blocking, or minus errno: -EADDRINUSE where
// something else has the path, -ENAMETOOLONG where no socket can have it.
int chost_socket_listen(const char *_Nonnull path);

// The same, but that nobody else than this user and root can open it, from its first moment.
int chost_private_socket_listen(const char *_Nonnull path);

// Whether who has connected to a UNIX socket is of this process's user.
bool chost_socket_peer_is_own(int peer);

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

// Whether the descriptor can be read and written, or minus errno where it is not open.
int chost_access_mode(int descriptor, bool *_Nonnull can_read, bool *_Nonnull can_write);

// Reads what is there at once, whether or not the descriptor blocks: the number of bytes, or minus errno, -EAGAIN where
// there is nothing. 0 bytes are the end.
int64_t chost_channel_read(int descriptor, bool is_socket, void *_Nonnull buffer, size_t count);

// Whether the other side has gone for good: nothing that is written arrives.
bool chost_channel_has_hung_up(int descriptor);

// Whether something is there to be read, also from one that has gone.
bool chost_channel_has_input(int descriptor);
