#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CTestSupport.h"

#include <errno.h>
#include <grp.h>
#include <malloc.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t ctest_start(const char *path, char *const *arguments, struct ctest_streams streams) {
  pid_t process = fork();
  if (process < 0)
    return -errno;
  if (process > 0)
    return process;
  // Only calls that are safe after a fork of a process with threads.
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  for (int target = 0; target < 3; target++) {
    if (streams.descriptors[target] < 0)
      close(target);
    else if (dup2(streams.descriptors[target], target) < 0)
      _exit(127);
  }
  if (streams.user != 0 && (setgroups(0, NULL) != 0 || setgid(streams.user) != 0 || setuid(streams.user) != 0))
    _exit(127);
  execv(path, arguments);
  _exit(127);
}

int ctest_status(pid_t process) {
  int status;
  pid_t ended = waitpid(process, &status, WNOHANG);
  if (ended == 0)
    return -1;
  if (ended < 0)
    return -2;
  return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

void ctest_use_files_as(unsigned user) { setfsuid(user); }

int ctest_stop_thread(pid_t thread) {
  if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) != 0 || ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) != 0)
    return -errno;
  int status;
  while (waitpid(thread, &status, __WALL) < 0)
    if (errno != EINTR)
      return -errno;
  return 0;
}

void ctest_trim_allocator(void) {
  malloc_trim(0);
}
