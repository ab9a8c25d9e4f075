#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved_settings, raw_settings;
static volatile sig_atomic_t raw_descriptor = -1;

// All that end a process which does not care for them, but SIGKILL. A limit of processor time (SIGXCPU) or a timer of
// somebody else's may be the end, too.
static const int ending_signals[] = {SIGILL,  SIGTRAP, SIGABRT, SIGBUS,  SIGFPE,    SIGSEGV, SIGSYS,    SIGQUIT,
                                     SIGINT,  SIGTERM, SIGHUP,  SIGUSR1, SIGUSR2,   SIGALRM, SIGVTALRM, SIGPROF,
                                     SIGXCPU, SIGIO,   SIGPWR,  SIGSTKFLT};
enum { ENDING_SIGNALS = sizeof ending_signals / sizeof ending_signals[0] };
static struct sigaction former_actions[ENDING_SIGNALS];

void chost_terminal_restore(void) {
  if (raw_descriptor < 0)
    return;
  // TCSADRAIN would wait for a reader that may never come.
  tcsetattr(raw_descriptor, TCSANOW, &saved_settings);
  raw_descriptor = -1;
}

static void restore_and_end(int signal) {
  chost_terminal_restore();
  for (int index = 0; index < ENDING_SIGNALS; index++)
    if (ending_signals[index] == signal)
      sigaction(signal, &former_actions[index], NULL);
  raise(signal);
}

// Somebody else may have the terminal by now, and what they set is theirs.
static void make_raw_again(void) {
  if (raw_descriptor >= 0 && chost_terminal_is_ours(raw_descriptor))
    tcsetattr(raw_descriptor, TCSANOW, &raw_settings);
}

static void stop_and_go_on(int signal);

static void handle_stop(void) {
  struct sigaction action = {.sa_handler = stop_and_go_on, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(SIGTSTP, &action, NULL);
}

// The shell gets its terminal as it was, and we stop as we would have; what follows is done when we go on.
static void stop_and_go_on(int signal) {
  const int error = errno;
  if (raw_descriptor >= 0)
    tcsetattr(raw_descriptor, TCSANOW, &saved_settings);
  struct sigaction action = {.sa_handler = SIG_DFL};
  sigaction(signal, &action, NULL);
  sigset_t stop, previous;
  sigemptyset(&stop);
  sigaddset(&stop, signal);
  raise(signal);
  pthread_sigmask(SIG_UNBLOCK, &stop, &previous);
  pthread_sigmask(SIG_SETMASK, &previous, NULL);
  handle_stop();
  make_raw_again();
  errno = error;
}

// A job that was stopped in another way (SIGSTOP), or that comes back to the foreground.
static void go_on(int signal) {
  const int error = errno;
  (void)signal;
  make_raw_again();
  errno = error;
}

static bool is_default(int signal) {
  struct sigaction action;
  return sigaction(signal, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL;
}

static bool is_ignored(int signal) {
  struct sigaction action;
  return sigaction(signal, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_IGN;
}

// A signal that is ignored does nothing, to us and to the terminal.
static void handle_signals(void) {
  struct sigaction end = {.sa_handler = restore_and_end}, resume = {.sa_handler = go_on, .sa_flags = SA_RESTART};
  sigfillset(&end.sa_mask);
  sigemptyset(&resume.sa_mask);
  for (int index = 0; index < ENDING_SIGNALS; index++)
    if (!is_ignored(ending_signals[index]))
      sigaction(ending_signals[index], &end, &former_actions[index]);
  if (is_default(SIGTSTP))
    handle_stop();
  if (is_default(SIGCONT))
    sigaction(SIGCONT, &resume, NULL);
}

int chost_terminal_make_raw(int descriptor) {
  static bool handlers_installed;
  if (tcgetattr(descriptor, &saved_settings) != 0)
    return -errno;
  raw_settings = saved_settings;
  cfmakeraw(&raw_settings);
  // Apus's own messages share the terminal: a line feed still starts at the left.
  raw_settings.c_oflag |= OPOST | ONLCR;
  if (!handlers_installed)
    handle_signals();
  handlers_installed = true;
  raw_descriptor = descriptor;
  if (tcsetattr(descriptor, TCSANOW, &raw_settings) == 0)
    return 0;
  int error = errno;
  raw_descriptor = -1;
  return -error;
}

bool chost_terminal_size(int descriptor, uint16_t *columns, uint16_t *rows) {
  struct winsize size;
  if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
    return false;
  *columns = size.ws_col;
  *rows = size.ws_row;
  return true;
}

bool chost_terminal_is_ours(int descriptor) { return tcgetpgrp(descriptor) == getpgrp(); }

int chost_terminal_lock(int descriptor) {
  char name[128];
  if (ttyname_r(descriptor, name, sizeof name) != 0)
    return -ENOTTY;
  int lock = open(name, O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (lock < 0)
    return -errno;
  if (flock(lock, LOCK_EX | LOCK_NB) == 0)
    return lock;
  int error = errno;
  close(lock);
  return -error;
}

int chost_pseudo_terminal_open(char *name, size_t size) {
  int descriptor = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return -errno;
  if (grantpt(descriptor) == 0 && unlockpt(descriptor) == 0 && ptsname_r(descriptor, name, size) == 0) {
    int other = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (other >= 0) {
      struct termios settings;
      if (tcgetattr(other, &settings) == 0) {
        cfmakeraw(&settings);
        tcsetattr(other, TCSANOW, &settings);
      }
      close(other);
      return descriptor;
    }
  }
  int error = errno;
  close(descriptor);
  return -error;
}

// Unix98 pseudo-terminals (Documentation/admin-guide/devices.txt).
enum { FIRST_TERMINAL_MAJOR = 136, LAST_TERMINAL_MAJOR = 143 };

bool chost_terminal_link_is_stale(const char *path) {
  struct stat link, target;
  if (lstat(path, &link) != 0 || !S_ISLNK(link.st_mode))
    return false;
  if (stat(path, &target) != 0)
    return true;
  const unsigned number = major(target.st_rdev);
  if (!S_ISCHR(target.st_mode) || number < FIRST_TERMINAL_MAJOR || number > LAST_TERMINAL_MAJOR)
    return false;
  // A terminal is there before somebody makes a link to it.
  return target.st_ctim.tv_sec != link.st_mtim.tv_sec ? target.st_ctim.tv_sec > link.st_mtim.tv_sec
                                                      : target.st_ctim.tv_nsec > link.st_mtim.tv_nsec;
}

bool chost_pseudo_terminal_has_reader(int descriptor) {
  struct pollfd poll_descriptor = {.fd = descriptor, .events = POLLOUT};
  return poll(&poll_descriptor, 1, 0) >= 0 && !(poll_descriptor.revents & POLLHUP);
}

void chost_standard_descriptors_reserve(void) {
  for (int descriptor = 0; descriptor <= 2; descriptor++)
    if (fcntl(descriptor, F_GETFD) < 0) {
      int null = open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY);
      if (null >= 0 && null != descriptor) {
        dup2(null, descriptor);
        close(null);
      }
    }
}
