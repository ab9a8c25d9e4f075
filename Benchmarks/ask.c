// A client of the control socket of a machine that it starts itself:
//
//     usage: ask SOCKET at-once COUNT COMMAND [ARGUMENT…]
//            ask SOCKET every MICROSECONDS COMMAND [ARGUMENT…]
//
// COMMAND is to become a machine with its control socket at SOCKET. At once: when its guest has had the time to come to
// rest, `info` is asked so often, each time when the answer has come, and then the machine is killed. Every so many
// microseconds: `info` is asked from the machine's beginning to its end, which gives the status; how often is printed.
// With 0 microseconds it is not asked at all, and nobody connects.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS_TO_REST = 5 };

#define REQUEST(method, parameters) \
  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\",\"params\":{" parameters "}}\n"

static _Noreturn void fail(const char *what) {
  fprintf(stderr, "ask: %s: %s\n", what, strerror(errno));
  exit(1);
}

static pid_t start(char **command) {
  pid_t process = fork();
  if (process < 0)
    fail("fork");
  if (process == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execv(command[0], command);
    fail(command[0]);
  }
  return process;
}

static int status_of(pid_t process) {
  int status;
  if (waitpid(process, &status, 0) != process)
    fail("waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int connect_to(const char *path, pid_t process) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  for (;;) {
    int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection < 0)
      fail("socket");
    if (connect(connection, (struct sockaddr *)&address, sizeof address) == 0)
      return connection;
    close(connection);
    if (waitpid(process, NULL, WNOHANG))
      fail("the machine ended before it listened");
    usleep(1000);
  }
}

// Sends a line and reads the one that comes back; false where the machine has ended.
static bool ask(int connection, const char *request) {
  static char answer[1 << 16];
  size_t length = strlen(request), had = 0;
  if (send(connection, request, length, MSG_NOSIGNAL) != (ssize_t)length)
    return false;
  do {
    ssize_t count = recv(connection, answer + had, sizeof answer - 1 - had, 0);
    if (count <= 0)
      return false;
    had += count;
  } while (answer[had - 1] != '\n' && had < sizeof answer - 1);
  answer[had] = 0;
  if (!strstr(answer, "\"result\"")) {
    fprintf(stderr, "ask: %s was answered by %s", request, answer);
    exit(1);
  }
  return true;
}

static void ask_at_once(int connection, long count) {
  sleep(SECONDS_TO_REST);
  for (long request = 0; request < count; request++)
    if (!ask(connection, REQUEST("info", "")))
      fail("the machine ended");
  if (!ask(connection, REQUEST("kill", "")))
    fail("the machine ended");
}

static void ask_every(int connection, long microseconds) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  long requests = 0;
  for (; ask(connection, REQUEST("info", "")); requests++) {
    time.tv_nsec += microseconds * 1000;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
  }
  printf("\nasked %ld\n", requests);
}

int main(int count, char **arguments) {
  bool at_once = count > 4 && strcmp(arguments[2], "at-once") == 0;
  if (!at_once && !(count > 4 && strcmp(arguments[2], "every") == 0)) {
    fprintf(stderr, "usage: ask SOCKET at-once COUNT | every MICROSECONDS COMMAND [ARGUMENT...]\n");
    return 2;
  }
  const long number = strtol(arguments[3], NULL, 10);
  pid_t process = start(arguments + 4);
  if (!at_once && number == 0)
    return status_of(process);
  int connection = connect_to(arguments[1], process);
  if (!ask(connection, REQUEST("hello", "\"version\":1")))
    fail("the machine ended");
  if (at_once) {
    ask_at_once(connection, number);
    status_of(process);
    return 0;
  }
  ask_every(connection, number);
  return status_of(process);
}
