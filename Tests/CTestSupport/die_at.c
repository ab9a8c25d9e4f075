#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CTestSupport.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static const unsigned numbers[] = {
    [ctest_call_mkdirat] = SYS_mkdirat,   [ctest_call_openat] = SYS_openat, [ctest_call_ftruncate] = SYS_ftruncate,
    [ctest_call_pwrite] = SYS_pwrite64,   [ctest_call_write] = SYS_write,   [ctest_call_fsync] = SYS_fsync,
    [ctest_call_rename] = SYS_renameat2,  [ctest_call_unlinkat] = SYS_unlinkat,
};

int ctest_die_at(enum ctest_call call) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, numbers[call], 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    return -errno;
  return 0;
}
