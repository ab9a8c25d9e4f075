#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What is known of a descriptor that one writes to.
struct chost_output {
  int descriptor;
  // A socket is written to with flags, so it never waits whatever its description says.
  bool is_socket;
  // Whether a write may wait, although the description has O_NONBLOCK where that means anything: a file on a disk, say.
  bool may_wait;
};

// A descriptor of the caller's own for what stands behind `descriptor`, in no other process's hands: a terminal or a
// pipe is opened anew, with O_NONBLOCK, which a shared description must not get. Where that cannot be (another user's
// terminal, no /proc) and where it would mean nothing it is a duplicate. 0 or minus errno.
int chost_output_open(int descriptor, struct chost_output *_Nonnull output);

// The same for a descriptor that is the caller's own already and has O_NONBLOCK.
int chost_output_describe(int descriptor, struct chost_output *_Nonnull output);

// Another description, with O_NONBLOCK, of the terminal or pipe that `descriptor` reads from, or minus errno.
int chost_input_open(int descriptor);

// Writes what goes at once, or waits where the description does: how many bytes, or minus errno. No SIGPIPE from
// sockets.
int64_t chost_output_write(int descriptor, bool is_socket, const void *_Nonnull buffer, size_t count);

// Whether one of `events` is there, within so many milliseconds; -1 waits for ever.
bool chost_wait(int descriptor, short events, int milliseconds);

// Does nothing for so many milliseconds.
void chost_pause(int milliseconds);

// Waits until one of the two descriptors can be read, the second of which may be -1, for so many milliseconds at most;
// -1 waits for ever.
void chost_wait_for_either(int first, int second, int milliseconds);
