#pragma once

#include <stdbool.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

// The guest's characters to the terminal as they are, and each key to the guest at once. 0 or minus errno.
//
// The former settings come back with chost_terminal_restore, and also when a signal ends the process: the first call
// installs handlers for all that do, which restore the terminal and then let the signal do what it did before. They
// also come back while SIGTSTP has the process stopped; SIGCONT makes the terminal raw again if it is still ours. What
// the process ignores, and a SIGTSTP or SIGCONT that it handles itself, are left alone.
int chost_terminal_make_raw(int descriptor);
void chost_terminal_restore(void);

// Whether the process may read from and change the terminal: it is not a background job.
bool chost_terminal_is_ours(int descriptor);

// The size of the terminal in characters; false where nobody knows it.
bool chost_terminal_size(int descriptor, uint16_t *_Nonnull columns, uint16_t *_Nonnull rows);

// Takes an advisory lock on the terminal behind the descriptor, through an open file description of its own. The
// descriptor that holds the lock, or minus errno: -EWOULDBLOCK if somebody else holds it.
int chost_terminal_lock(int descriptor);

// Opens a new pseudo-terminal in raw mode; its name goes to `name`. The descriptor, not blocking, or minus errno.
int chost_pseudo_terminal_open(char *_Nonnull name, size_t size);

// Whether a symbolic link leads nowhere, or to a pseudo-terminal that is newer than the link.
bool chost_terminal_link_is_stale(const char *_Nonnull path);

// Whether somebody has opened the other side.
bool chost_pseudo_terminal_has_reader(int descriptor);

// Opens /dev/null for each of the descriptors 0, 1 and 2 that is closed, so that no other file gets its number. A write
// to such an output fails like a write to a closed one.
void chost_standard_descriptors_reserve(void);
