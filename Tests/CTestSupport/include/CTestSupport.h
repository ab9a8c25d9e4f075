#pragma once

#include <stdbool.h>
#include <sys/types.h>

// How ctest_start starts a program.
struct ctest_streams {
  // Files that the program gets as descriptors 0, 1 and 2; -1 for one that is to be closed.
  int descriptors[3];
  // The user and group to run as, or 0 for the caller's.
  unsigned user;
};

// Starts a program: its process id, or minus errno. A program that cannot be executed ends with status 127.
pid_t ctest_start(const char *_Nonnull path, char *_Nullable const *_Nonnull arguments, struct ctest_streams streams);

// The exit status of a process, 256 + the signal that killed it, -1 while it runs, or -2 where there is no such
// process.
int ctest_status(pid_t process);

// Gives the calling thread alone the rights that `user` has to files. What the process may do otherwise stays.
void ctest_use_files_as(unsigned user);

// Stops one thread of another process for good, as a call does that the kernel never comes back from: nothing but the
// end of the process ends it. 0 or minus errno. The calling thread is the one that traces it from then on.
int ctest_stop_thread(pid_t thread);

// Starts a file system in user space (FUSE) in this folder: the process that serves it, or minus errno. It has one
// file, `image`, of 16 MiB, that can be read and not written. A process that is stopped is a file system that does not
// answer. Who is not root finds it in the process's user and mount namespaces.
pid_t ctest_file_system_start(const char *_Nonnull folder);

// Ends the process, and takes the file system away.
void ctest_file_system_end(pid_t process, const char *_Nonnull folder);

// Has the allocator give back to the system what it keeps for later.
void ctest_trim_allocator(void);

// Calls at which a process may be made to die.
enum ctest_call {
  ctest_call_mkdirat,
  ctest_call_openat,
  ctest_call_ftruncate,
  ctest_call_pwrite,
  ctest_call_write,
  ctest_call_fsync,
  ctest_call_rename,
  ctest_call_unlinkat,
};

// Has the calling thread's next such call end the process, by SIGSYS and before it does anything. 0 or minus errno.
int ctest_die_at(enum ctest_call call);
