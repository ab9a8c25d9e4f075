// A client of the hypervisor Gunyah's in a guest, through the module gunyah-client. Status 0: all was as it should be.
//
//     gunyah-tool info                     what the module has found, and the machine's VMID
//     gunyah-tool rpc ID [HEXADECIMAL]     sends one request to the resource manager, and prints the reply
//     gunyah-tool talk LABEL COUNT         leads a talk over a pair of queues: COUNT questions, COUNT messages each way
//     gunyah-tool serve LABEL              is the other end of that
//     gunyah-tool bell RUNG HEARD COUNT    rings the doorbell with one label, and hears that with the other, in turn
//     gunyah-tool answer RUNG HEARD COUNT  is the other end of that
//     gunyah-tool buffers LABEL            exchanges messages of 240 bytes from and to all kinds of memory
//     gunyah-tool lifecycle COUNT IMAGE INITRAMFS [MESSAGES [DOORBELLS [MIB]]]
//                                          makes a secondary machine of Linux, talks to it and takes it away, COUNT
//                                          times; the initramfs is to run `gunyah-tool serve 1`
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

void fail(const char *format, ...) {
  va_list arguments;
  int error = errno;
  fflush(stdout);
  fputs("gunyah-tool: ", stderr);
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  if (error != 0)
    fprintf(stderr, " (errno %d: %s)", error, strerror(error));
  fputc('\n', stderr);
  exit(1);
}

int device(void) {
  static int descriptor = -1;
  if (descriptor < 0 && (descriptor = open("/dev/gunyah-client", O_RDWR | O_CLOEXEC)) < 0)
    fail("there is no /dev/gunyah-client; load gunyah-client.ko");
  return descriptor;
}

static void out_of_patience(int signal) {
  static const char text[] = "gunyah-tool: waits too long\n";
  (void)!write(2, text, sizeof(text) - 1);
  (void)signal;
  // What was about to wait would do so for ever.
  alarm(1);
}

void set_patience(unsigned seconds) {
  // Not SA_RESTART: what waits ends with EINTR, and says what it was.
  struct sigaction action = {.sa_handler = out_of_patience};
  sigaction(SIGALRM, &action, NULL);
  alarm(seconds);
}

u64 milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (u64)now.tv_sec * 1000 + (u64)now.tv_nsec / 1000000;
}

u64 parse_number(const char *text) {
  char *end;
  u64 value = strtoull(text, &end, 0);
  if (*text == 0 || *end != 0)
    fail("'%s' is no number", text);
  return value;
}

u8 *read_file(const char *path, size_t *size) {
  struct stat status;
  int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 || fstat(descriptor, &status) < 0)
    fail("cannot open %s", path);
  *size = (size_t)status.st_size;
  u8 *bytes = malloc(*size + 1);
  if (bytes == NULL)
    fail("no memory for %s", path);
  for (size_t done = 0; done < *size;) {
    ssize_t count = read(descriptor, bytes + done, *size - done);
    if (count <= 0)
      fail("cannot read %s", path);
    done += (size_t)count;
  }
  close(descriptor);
  return bytes;
}

static void print_info(void) {
  struct gunyah_info info;
  struct payload reply;
  if (ioctl(device(), GUNYAH_INFO, &info) < 0)
    fail("GUNYAH_INFO");
  printf("uid %08x %08x %08x %08x\n", info.uid[0], info.uid[1], info.uid[2], info.uid[3]);
  printf("api 0x%llx features 0x%llx\n", (unsigned long long)info.api, (unsigned long long)info.features);
  u32 error = ask(get_vmid, NULL, &reply);
  if (error != 0 || reply.size != 4)
    fail("the resource manager does not tell the VMID: error 0x%x", error);
  printf("vmid %u\n", *(u32 *)reply.bytes);
}

static u64 count_of(const char *text) {
  u64 count = parse_number(text);
  // What takes longer than an interrupt's way is an interrupt that is lost: on a busy emulated host, too.
  set_patience(120 + (unsigned)(count / 20));
  return count;
}

static bool is_command(int count, char **arguments, const char *name, int least, int most) {
  return strcmp(arguments[1], name) == 0 && count - 2 >= least && count - 2 <= most;
}

int main(int count, char **arguments) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (count < 2) {
    fputs("usage: gunyah-tool info|rpc|talk|serve|bell|answer|buffers|lifecycle …\n", stderr);
    return 2;
  }
  set_patience(60);
  if (is_command(count, arguments, "info", 0, 0)) {
    print_info();
  } else if (is_command(count, arguments, "rpc", 1, 2)) {
    print_rpc((u32)parse_number(arguments[2]), count > 3 ? arguments[3] : "");
  } else if (is_command(count, arguments, "talk", 2, 2)) {
    struct ends ends = open_ends((u32)parse_number(arguments[2]));
    lead_talk(&ends, count_of(arguments[3]));
    tell_end(&ends, end_of_talk, 0);
  } else if (is_command(count, arguments, "serve", 1, 1)) {
    struct ends ends = open_ends((u32)parse_number(arguments[2]));
    // The other end says when it has enough.
    set_patience(0);
    serve(&ends);
  } else if (is_command(count, arguments, "bell", 3, 3)) {
    ring_alone((u32)parse_number(arguments[2]), (u32)parse_number(arguments[3]), count_of(arguments[4]), true);
  } else if (is_command(count, arguments, "answer", 3, 3)) {
    ring_alone((u32)parse_number(arguments[2]), (u32)parse_number(arguments[3]), count_of(arguments[4]), false);
  } else if (is_command(count, arguments, "buffers", 1, 1)) {
    try_buffers((u32)parse_number(arguments[2]));
  } else if (is_command(count, arguments, "lifecycle", 3, 6)) {
    u64 numbers[] = {1000, 200, 64};
    for (int index = 5; index < count; index++)
      numbers[index - 5] = parse_number(arguments[index]);
    run_lifecycles(parse_number(arguments[2]), arguments[3], arguments[4], numbers[0], numbers[1], numbers[2]);
  } else {
    fail("'%s' is not known, or has other arguments", arguments[1]);
  }
  return 0;
}
