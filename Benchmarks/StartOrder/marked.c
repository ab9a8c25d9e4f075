// Runs a command twice, the second time between two calls of `marker`, by which the plugin `trace.c` knows it:
//
//     usage: marked COMMAND [ARGUMENT…]
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline, section(".marker"), aligned(64))) void marker(void) { __asm__ volatile("nop"); }

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: marked COMMAND [ARGUMENT...]\n");
    return 2;
  }
  int status = 0;
  for (int round = 0; round < 2; round++) {
    if (round == 1)
      marker();
    pid_t process = fork();
    if (process == 0) {
      int nowhere = open("/dev/null", O_RDWR);
      for (int descriptor = 0; descriptor < 2; descriptor++)
        dup2(nowhere, descriptor);
      execv(argv[1], argv + 1);
      perror(argv[1]);
      _exit(127);
    }
    if (process < 0 || waitpid(process, &status, 0) < 0) {
      perror("marked");
      return 1;
    }
    if (round == 1)
      marker();
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
