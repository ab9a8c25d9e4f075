#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "detach.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const int passed_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum { PASSED_SIGNALS = sizeof passed_signals / sizeof passed_signals[0] };

static volatile pid_t detached;

static void pass_on(int signal) {
  const int error = errno;
  kill(detached, signal);
  errno = error;
}

pid_t chost_detach(int *channel) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return -errno;
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  // A signal that comes before there is somebody to pass it on to waits.
  sigset_t passed, previous;
  sigemptyset(&passed);
  for (int index = 0; index < PASSED_SIGNALS; index++)
    sigaddset(&passed, passed_signals[index]);
  sigprocmask(SIG_BLOCK, &passed, &previous);
  const pid_t child = nothing < 0 ? -1 : fork();
  if (child < 0) {
    const int error = errno;
    sigprocmask(SIG_SETMASK, &previous, NULL);
    close(ends[0]);
    close(ends[1]);
    if (nothing >= 0)
      close(nothing);
    return -error;
  }
  if (child == 0) {
    close(ends[0]);
    setsid();
    dup2(nothing, STDIN_FILENO);
    dup2(nothing, STDOUT_FILENO);
    *channel = ends[1];
  } else {
    detached = child;
    close(ends[1]);
    // What was ignored stays so, in the child, too.
    for (int index = 0; index < PASSED_SIGNALS; index++) {
      struct sigaction action;
      if (sigaction(passed_signals[index], NULL, &action) == 0 && action.sa_handler == SIG_IGN)
        continue;
      action = (struct sigaction){.sa_handler = pass_on, .sa_flags = SA_RESTART};
      sigemptyset(&action.sa_mask);
      sigaction(passed_signals[index], &action, NULL);
    }
    *channel = ends[0];
  }
  close(nothing);
  sigprocmask(SIG_SETMASK, &previous, NULL);
  return child;
}

int chost_wait_for_end(pid_t child) {
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return 1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void chost_standard_error_leave(void) {
  struct stat status;
  if (fstat(STDERR_FILENO, &status) == 0 && S_ISREG(status.st_mode))
    return;
  const int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nothing < 0)
    return;
  dup2(nothing, STDERR_FILENO);
  close(nothing);
}
