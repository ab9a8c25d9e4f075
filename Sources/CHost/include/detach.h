#pragma once

#include <stdbool.h>
#include <sys/types.h>

// Splits the process in two, before it has other threads: the child, which is in a session of its own and whose
// standard input and output lead to /dev/null, and the parent, which passes the signals that ask for an end on to it.
//
// Returns 0 in the child, its number in the parent, and minus errno where nothing was split. `channel` leads from the
// child to the parent.
pid_t chost_detach(int *_Nonnull channel);

// Waits for a child's end: its exit status, or 128 + N where signal N ended it.
int chost_wait_for_end(pid_t child);

// Has standard error lead to /dev/null, unless it leads to a regular file: nobody waits for its end then.
void chost_standard_error_leave(void);
