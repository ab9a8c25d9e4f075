#pragma once

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

// The signal that takes a thread out of KVM_RUN. Its handler does nothing; what matters is EINTR.
int chost_kick_signal(void);

// Lets the calling thread receive the signal; the handler is there since the first chost_thread_start.
void chost_kick_prepare(void);

typedef struct {
  pthread_t handle;
} chost_thread;

// Starts a thread with a small stack; 0 or an error number. `name` is cut to 15 characters.
int chost_thread_start(chost_thread *_Nonnull thread, const char *_Nonnull name,
                        void *_Nullable (*_Nonnull body)(void *_Nonnull), void *_Nonnull context);
void chost_thread_join(chost_thread thread);
void chost_thread_detach(chost_thread thread);
void chost_thread_kick(chost_thread thread);

// Signals that are taken together: those that ask a process to end (SIGINT, SIGTERM, SIGHUP), and that the size of its
// terminal has changed (SIGWINCH). Those that the process ignores are not among them.
typedef enum { chost_signals_stop, chost_signals_terminal_size } chost_signals;

// Has the signals wait, for the calling thread and those it starts.
void chost_signals_hold(chost_signals group);

// A descriptor, not blocking, on which the signals arrive, or minus errno. From then on they do nothing by themselves
// in the calling thread and those it starts. `previous` takes the mask for chost_signals_restore.
int chost_signals_take(chost_signals group, sigset_t *_Nonnull previous);
void chost_signals_restore(const sigset_t *_Nonnull previous);

// The number of a signal that arrived on that descriptor, or 0.
int chost_signal_read(int descriptor);
