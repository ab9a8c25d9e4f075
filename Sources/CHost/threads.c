#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "threads.h"

#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

int chost_kick_signal(void) { return SIGRTMAX - 1; }

static void ignore_kick(int signal) { (void)signal; }

static void install_kick_handler(void) {
  struct sigaction action = {.sa_handler = ignore_kick};
  sigemptyset(&action.sa_mask);
  sigaction(chost_kick_signal(), &action, NULL);
}

void chost_kick_prepare(void) {
  sigset_t kick;
  sigemptyset(&kick);
  sigaddset(&kick, chost_kick_signal());
  pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
}

int chost_thread_start(chost_thread *thread, const char *name, void *(*body)(void *), void *context) {
  // Before the thread is there: a kick may come before its body has begun, and must not end the process.
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, install_kick_handler);
  // A thread begins with the name of the one that starts it. To give it another one from outside takes a file of /proc,
  // which costs more than the thread and need not be there.
  char short_name[16] = {0}, own_name[16] = {0};
  for (size_t index = 0; index + 1 < sizeof short_name && name[index]; index++)
    short_name[index] = name[index];
  prctl(PR_GET_NAME, own_name);
  prctl(PR_SET_NAME, short_name);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 << 10);
  int error = pthread_create(&thread->handle, &attributes, body, context);
  pthread_attr_destroy(&attributes);
  prctl(PR_SET_NAME, own_name);
  return error;
}

void chost_thread_join(chost_thread thread) { pthread_join(thread.handle, NULL); }

void chost_thread_detach(chost_thread thread) { pthread_detach(thread.handle); }

void chost_thread_kick(chost_thread thread) { pthread_kill(thread.handle, chost_kick_signal()); }

// Whoever ignores a signal wants to outlive it (nohup, a shell's background jobs), and a signal that is held comes also
// where it is ignored.
static void add_unless_ignored(sigset_t *signals, int signal) {
  struct sigaction action;
  if (sigaction(signal, NULL, &action) != 0 || (action.sa_flags & SA_SIGINFO) || action.sa_handler != SIG_IGN)
    sigaddset(signals, signal);
}

static sigset_t signal_set(chost_signals group) {
  sigset_t signals;
  sigemptyset(&signals);
  switch (group) {
  case chost_signals_stop:
    add_unless_ignored(&signals, SIGINT);
    add_unless_ignored(&signals, SIGTERM);
    add_unless_ignored(&signals, SIGHUP);
    break;
  case chost_signals_terminal_size:
    add_unless_ignored(&signals, SIGWINCH);
    break;
  }
  return signals;
}

void chost_signals_hold(chost_signals group) {
  sigset_t signals = signal_set(group);
  pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

int chost_signals_take(chost_signals group, sigset_t *previous) {
  sigset_t signals = signal_set(group);
  pthread_sigmask(SIG_BLOCK, &signals, previous);
  int descriptor = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (descriptor >= 0)
    return descriptor;
  int error = errno;
  pthread_sigmask(SIG_SETMASK, previous, NULL);
  return -error;
}

void chost_signals_restore(const sigset_t *previous) { pthread_sigmask(SIG_SETMASK, previous, NULL); }

int chost_signal_read(int descriptor) {
  struct signalfd_siginfo information;
  return read(descriptor, &information, sizeof information) == sizeof information ? (int)information.ssi_signo : 0;
}
