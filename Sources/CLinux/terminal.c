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
#include <termios.h>
#include <unistd.h>

static struct termios saved_settings;
static volatile sig_atomic_t raw_descriptor = -1;

static const int crash_signals[] = {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS, SIGQUIT};
enum { CRASH_SIGNALS = sizeof crash_signals / sizeof crash_signals[0] };
static struct sigaction former_actions[CRASH_SIGNALS];

void clinux_terminal_restore(void) {
  if (raw_descriptor < 0)
    return;
  // TCSADRAIN would wait for a reader that may never come.
  tcsetattr(raw_descriptor, TCSANOW, &saved_settings);
  raw_descriptor = -1;
}

static void restore_and_crash(int signal) {
  clinux_terminal_restore();
  for (int index = 0; index < CRASH_SIGNALS; index++)
    if (crash_signals[index] == signal)
      sigaction(signal, &former_actions[index], NULL);
  raise(signal);
}

int clinux_terminal_make_raw(int descriptor) {
  static bool handlers_installed;
  if (tcgetattr(descriptor, &saved_settings) != 0)
    return -errno;
  if (!handlers_installed) {
    struct sigaction action = {.sa_handler = restore_and_crash};
    sigfillset(&action.sa_mask);
    for (int index = 0; index < CRASH_SIGNALS; index++)
      sigaction(crash_signals[index], &action, &former_actions[index]);
    handlers_installed = true;
  }
  struct termios raw = saved_settings;
  cfmakeraw(&raw);
  // Apus's own messages share the terminal: a line feed still starts at the left.
  raw.c_oflag |= OPOST | ONLCR;
  raw_descriptor = descriptor;
  if (tcsetattr(descriptor, TCSANOW, &raw) == 0)
    return 0;
  int error = errno;
  raw_descriptor = -1;
  return -error;
}

bool clinux_terminal_size(int descriptor, uint16_t *columns, uint16_t *rows) {
  struct winsize size;
  if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
    return false;
  *columns = size.ws_col;
  *rows = size.ws_row;
  return true;
}

bool clinux_terminal_is_ours(int descriptor) { return tcgetpgrp(descriptor) == getpgrp(); }

int clinux_terminal_lock(int descriptor) {
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

int clinux_pseudo_terminal_open(char *name, size_t size) {
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

bool clinux_pseudo_terminal_has_reader(int descriptor) {
  struct pollfd poll_descriptor = {.fd = descriptor, .events = POLLOUT};
  return poll(&poll_descriptor, 1, 0) >= 0 && !(poll_descriptor.revents & POLLHUP);
}

void clinux_standard_descriptors_reserve(void) {
  for (int descriptor = 0; descriptor <= 2; descriptor++)
    if (fcntl(descriptor, F_GETFD) < 0) {
      int null = open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY);
      if (null >= 0 && null != descriptor) {
        dup2(null, descriptor);
        close(null);
      }
    }
}
