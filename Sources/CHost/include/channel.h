#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Listens on a new UNIX stream socket with one place in its queue. A socket that nobody listens on any more, which a
// process that was killed left there, is replaced. The descriptor, not blocking, or minus errno: -EADDRINUSE where
// something else has the path, -ENAMETOOLONG where no socket can have it.
int chost_socket_listen(const char *_Nonnull path);

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
