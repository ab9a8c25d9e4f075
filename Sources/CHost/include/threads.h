#pragma once

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

// The signal that takes a thread out of KVM_RUN. Its handler does nothing; what matters is EINTR.
int clinux_kick_signal(void);

// Lets the calling thread receive the signal; the handler is there since the first clinux_thread_start.
void clinux_kick_prepare(void);

typedef struct {
  pthread_t handle;
} clinux_thread;

// Starts a thread with a small stack; 0 or an error number. `name` is cut to 15 characters.
int clinux_thread_start(clinux_thread *_Nonnull thread, const char *_Nonnull name,
                        void *_Nullable (*_Nonnull body)(void *_Nonnull), void *_Nonnull context);
void clinux_thread_join(clinux_thread thread);
void clinux_thread_detach(clinux_thread thread);
void clinux_thread_kick(clinux_thread thread);

// Signals that are taken together: those that ask a process to end (SIGINT, SIGTERM, SIGHUP), and that the size of its
// terminal has changed (SIGWINCH). Those that the process ignores are not among them.
typedef enum { clinux_signals_stop, clinux_signals_terminal_size } clinux_signals;

// Has the signals wait, for the calling thread and those it starts.
void clinux_signals_hold(clinux_signals group);

// A descriptor, not blocking, on which the signals arrive, or minus errno. From then on they do nothing by themselves in
// the calling thread and those it starts. `previous` takes the mask for clinux_signals_restore.
int clinux_signals_take(clinux_signals group, sigset_t *_Nonnull previous);
void clinux_signals_restore(const sigset_t *_Nonnull previous);

// The number of a signal that arrived on that descriptor, or 0.
int clinux_signal_read(int descriptor);
