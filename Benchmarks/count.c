// Runs a command and counts the instructions that it and its threads and children retire, in one JSON object:
//
//     usage: count [--until-guest | --until-output TEXT | --own] OUTPUT COMMAND [ARGUMENT…]
//
//     user      in user mode of the host
//     kernel    in the host's kernel, for the command
//     guest     in virtual machines
//     time      from the command's start to its end, in nanoseconds: whoever waits for something is not counted above
//
// With --until-guest the counts are taken and the command is killed as soon as a virtual machine has retired its first
// instruction. That includes the host's way from there to this program: the interrupt of the counter and one switch of
// tasks.
//
// With --until-output they are taken and the command is killed as soon as it has written TEXT to its standard output,
// which this program passes on. That includes the host's way from there to this program.
//
// With --own the command has the first two for itself as well, to read while it runs: its environment names their
// descriptors in COUNTERS, as two numbers with a comma between them.
//
// The counts are exact where the host's counters are: in QEMU with -icount. The status is the command's own, or 125.
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STATUS_FAILED = 125 };

static _Noreturn void fail(const char *what) {
  fprintf(stderr, "count: %s: %s\n", what, strerror(errno));
  exit(STATUS_FAILED);
}

enum place { USER, KERNEL, GUEST, PLACES };

static int open_counter(enum place place, pid_t process, bool reports_first, unsigned long flags) {
  struct perf_event_attr attributes = {
      .size = sizeof attributes,
      .type = PERF_TYPE_HARDWARE,
      .config = PERF_COUNT_HW_INSTRUCTIONS,
      .disabled = 1,
      .inherit = 1,
      .enable_on_exec = 1,
      .exclude_user = place == KERNEL,
      .exclude_kernel = place == USER,
      .exclude_hv = place != KERNEL,
      .exclude_guest = place != GUEST,
      .exclude_host = place == GUEST,
  };
  if (reports_first) {
    attributes.sample_period = 1;
    attributes.wakeup_events = 1;
  }
  // A buffer for reports goes with a CPU, not with a task that may be on any.
  int counter = syscall(SYS_perf_event_open, &attributes, process, reports_first ? 0 : -1, -1, flags);
  if (counter < 0)
    fail("perf_event_open (it needs CONFIG_PERF_EVENTS, CONFIG_ARM_PMUV3 and a host with --deterministic)");
  return counter;
}

static uint64_t take(int counter) {
  uint64_t count;
  if (read(counter, &count, sizeof count) != sizeof count)
    fail("reading a counter");
  return count;
}

static uint64_t now(void) {
  struct timespec time;
  if (clock_gettime(CLOCK_MONOTONIC, &time))
    fail("clock_gettime");
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

// Opens counters of this process that its next program inherits.
static void open_own(void) {
  char text[64];
  int user = open_counter(USER, 0, false, 0), kernel = open_counter(KERNEL, 0, false, 0);
  snprintf(text, sizeof text, "%d,%d", user, kernel);
  if (setenv("COUNTERS", text, 1))
    fail("setenv");
}

// Runs at once when it is woken.
static void hurry(void) {
  const struct sched_param priority = {.sched_priority = 1};
  if (sched_setscheduler(0, SCHED_FIFO, &priority))
    fail("sched_setscheduler");
}

// Waits for the first report, or for the command's end.
static void wait_for_guest(int counter) {
  struct pollfd waiting = {.fd = counter, .events = POLLIN};
  if (poll(&waiting, 1, -1) < 0)
    fail("poll");
  if (waiting.revents & POLLHUP)
    fprintf(stderr, "count: the command ended before a guest's first instruction\n");
}

// Passes on what the command writes until the text has come, or to the command's end.
static void wait_for_output(int descriptor, const char *text) {
  char written[1 << 16];
  size_t end = 0;
  ssize_t length;
  // Whoever writes more than that has not been asked the right thing.
  while (end < sizeof written - 1 && (length = read(descriptor, written + end, sizeof written - 1 - end)) > 0) {
    if (write(STDOUT_FILENO, written + end, (size_t)length) != length)
      fail("passing on the command's output");
    end += (size_t)length;
    written[end] = 0;
    if (strstr(written, text))
      return;
  }
  fprintf(stderr, "count: the command ended before it wrote: %s\n", text);
  exit(STATUS_FAILED);
}

int main(int argc, char **argv) {
  bool until_guest = argc > 1 && strcmp(argv[1], "--until-guest") == 0;
  bool has_own = argc > 1 && strcmp(argv[1], "--own") == 0;
  const char *text = argc > 2 && strcmp(argv[1], "--until-output") == 0 ? argv[2] : NULL;
  bool stops_early = until_guest || text;
  int options = text ? 2 : until_guest || has_own;
  char **arguments = argv + 1 + options;
  if (argc - options < 3) {
    fprintf(stderr, "usage: count [--until-guest | --until-output TEXT | --own] OUTPUT COMMAND [ARGUMENT...]\n");
    return STATUS_FAILED;
  }
  FILE *output = fopen(arguments[0], "we");
  if (!output)
    fail(arguments[0]);
  int start[2], written[2];
  if (pipe(start) || pipe(written))
    fail("pipe");
  pid_t process = fork();
  if (process < 0)
    fail("fork");
  if (process == 0) {
    char byte;
    close(start[1]);
    if (read(start[0], &byte, 1) != 1)
      _exit(STATUS_FAILED);
    close(start[0]);
    if (text && dup2(written[1], STDOUT_FILENO) < 0)
      _exit(STATUS_FAILED);
    close(written[0]);
    close(written[1]);
    if (has_own)
      open_own();
    execv(arguments[1], arguments + 1);
    fail(arguments[1]);
  }
  close(start[0]);
  close(written[1]);
  int counters[PLACES];
  for (enum place place = USER; place < PLACES; place++)
    counters[place] = open_counter(place, process, until_guest && place == GUEST, PERF_FLAG_FD_CLOEXEC);
  if (until_guest && mmap(NULL, 2 * sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, counters[GUEST], 0) == MAP_FAILED)
    fail("mmap");
  if (stops_early)
    hurry();
  uint64_t begin = now(), end = 0;
  if (write(start[1], "x", 1) != 1)
    fail("write");
  uint64_t counts[PLACES];
  if (stops_early) {
    if (until_guest)
      wait_for_guest(counters[GUEST]);
    else
      wait_for_output(written[0], text);
    end = now();
    for (enum place place = USER; place < PLACES; place++)
      counts[place] = take(counters[place]);
    kill(process, SIGKILL);
  }
  int status;
  struct rusage usage;
  if (wait4(process, &status, 0, &usage) != process)
    fail("wait4");
  if (!stops_early) {
    end = now();
    for (enum place place = USER; place < PLACES; place++)
      counts[place] = take(counters[place]);
  }
  fprintf(output,
          "{\"user\": %" PRIu64 ", \"kernel\": %" PRIu64 ", \"guest\": %" PRIu64 ", \"peakResident\": %ld, \"time\": %" PRIu64 "}\n",
          counts[USER], counts[KERNEL], counts[GUEST], usage.ru_maxrss * 1024, end - begin);
  if (fclose(output))
    fail("writing the counts");
  if (WIFSIGNALED(status))
    return stops_early ? 0 : 128 + WTERMSIG(status);
  return WEXITSTATUS(status);
}
