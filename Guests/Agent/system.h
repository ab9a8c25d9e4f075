// System calls for the agent, which has no C library: arm64 Linux, and x86-64 for tests where no guest runs.

#ifndef APUS_AGENT_SYSTEM_H
#define APUS_AGENT_SYSTEM_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#if defined(__aarch64__)
enum { sys_mkdirat = 34, sys_unlinkat = 35, sys_mknodat = 33, sys_symlinkat = 36, sys_mount = 40, sys_chdir = 49, sys_fchdir = 50,
       sys_chroot = 51, sys_openat = 56, sys_close = 57, sys_pipe2 = 59, sys_getdents64 = 61, sys_read = 63,
       sys_write = 64, sys_ppoll = 73, sys_sync = 81, sys_unshare = 97, sys_setns = 268, sys_nanosleep = 101,
       sys_syslog = 116, sys_kill = 129, sys_rt_sigaction = 134, sys_rt_sigprocmask = 135, sys_reboot = 142,
       sys_setsid = 157, sys_getpid = 172, sys_socket = 198, sys_clone = 220, sys_execve = 221, sys_wait4 = 260,
       sys_exit = 93, sys_dup3 = 24, sys_ioctl = 29, sys_fcntl = 25, sys_fchmod = 52, sys_prctl = 167, sys_finit_module = 273 };

static inline long call6(long number, long a, long b, long c, long d, long e, long f) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
    return x0;
}

__asm__(".global _start\n_start:\n\tmov x29, xzr\n\tmov x30, xzr\n\tmov x0, sp\n\tbl begin\n");

// clone() without a stack of its own is fork(): flags, stack, parent's pidfd.
static inline long clone_process(unsigned long flags, int *pidfd) {
    return call6(sys_clone, (long)flags, 0, (long)pidfd, 0, 0, 0);
}
#elif defined(__x86_64__)
enum { sys_mkdirat = 258, sys_unlinkat = 263, sys_mknodat = 259, sys_symlinkat = 266, sys_mount = 165, sys_chdir = 80, sys_fchdir = 81,
       sys_chroot = 161, sys_openat = 257, sys_close = 3, sys_pipe2 = 293, sys_getdents64 = 217, sys_read = 0,
       sys_write = 1, sys_ppoll = 271, sys_sync = 162, sys_unshare = 272, sys_setns = 308, sys_nanosleep = 35,
       sys_syslog = 103, sys_kill = 62, sys_rt_sigaction = 13, sys_rt_sigprocmask = 14, sys_reboot = 169,
       sys_setsid = 112, sys_getpid = 39, sys_socket = 41, sys_clone = 56, sys_execve = 59, sys_wait4 = 61,
       sys_exit = 60, sys_dup3 = 292, sys_ioctl = 16, sys_fcntl = 72, sys_fchmod = 91, sys_prctl = 157, sys_finit_module = 313 };

static inline long call6(long number, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory", "cc");
    return result;
}

__asm__(".global _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall begin\n");

static inline long clone_process(unsigned long flags, int *pidfd) {
    return call6(sys_clone, (long)flags, 0, (long)pidfd, 0, 0, 0);
}
#else
#error "the agent runs on arm64 and, for tests, on x86-64"
#endif

#define call(...) call_filled(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define call_filled(number, a, b, c, d, e, f, ...) \
    call6(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

// Linux's numbers (include/uapi).
enum { AT_FDCWD = -100, O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0100, O_TRUNC = 01000, O_NONBLOCK = 04000,
       O_CLOEXEC = 02000000 };
enum { EPERM = 1, ENOENT = 2, EINTR = 4, E2BIG = 7, ECHILD = 10, EAGAIN = 11, ENOMEM = 12, EEXIST = 17, EINVAL = 22, EMFILE = 24,
       EPIPE = 32, ENAMETOOLONG = 36, EBUSY = 16, ENOTDIR = 20, ENOEXEC = 8, EACCES = 13 };
enum { POLLIN = 1, POLLOUT = 4, POLLERR = 8, POLLHUP = 16 };
enum { SIGKILL = 9, SIGCHLD = 17, SIGPIPE = 13 };
enum { WNOHANG = 1 };
enum { F_SETFD = 2, FD_CLOEXEC = 1, PR_SET_PDEATHSIG = 1, F_SETFL = 4, TIOCSCTTY = 0x540E };
enum { S_IFCHR = 0020000 };
enum { SYSLOG_ACTION_READ_ALL = 3 };
#define CLONE_PIDFD 0x1000ul
#define CLONE_NEWNS 0x20000ul
#define MS_PRIVATE_RECURSIVE 0x44000ul

struct pollfd {
    int fd;
    short events;
    short revents;
};

enum { sys_openat2 = 437, RESOLVE_IN_ROOT = 0x10 }; // the same on all architectures

struct open_how {
    u64 flags;
    u64 mode;
    u64 resolve;
};

struct timespec {
    long seconds;
    long nanoseconds;
};

// The compiler calls these for what it makes of loops and structures.
void *memcpy(void *restrict to, const void *restrict from, unsigned long count);
void *memmove(void *to, const void *from, unsigned long count);
void *memset(void *to, int value, unsigned long count);

#endif
