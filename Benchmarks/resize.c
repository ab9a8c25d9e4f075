// Has a guest of QEMU's plug and unplug memory, over QEMU's monitor:
//
//     usage: resize SOCKET DEVICE LEAST MOST STEPS
//
// Waits for the socket, and until the guest has LEAST bytes; has it get MOST bytes, then LEAST again, and so on, so
// many steps in all; and ends QEMU. What the monitor says of the device's size is an event of its own
// (MEMORY_DEVICE_SIZE_CHANGE).
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static _Noreturn void fail(const char *what) {
  fprintf(stderr, "resize: %s: %s\n", what, strerror(errno));
  exit(1);
}

static FILE *connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  for (;;) {
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    if (descriptor < 0)
      fail("socket");
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0)
      return fdopen(descriptor, "r+");
    close(descriptor);
    usleep(10000);
  }
}

static void say(FILE *monitor, const char *text) {
  if (dprintf(fileno(monitor), "%s\n", text) < 0)
    fail("write");
}

// Reads lines up to the event that tells of this size.
static void wait_for(FILE *monitor, unsigned long long size) {
  char line[4096], wanted[64];
  snprintf(wanted, sizeof wanted, "\"size\": %llu", size);
  while (fgets(line, sizeof line, monitor))
    if (strstr(line, "MEMORY_DEVICE_SIZE_CHANGE") && strstr(line, wanted))
      return;
  fail("the monitor ended");
}

int main(int count, char **arguments) {
  if (count != 6) {
    fprintf(stderr, "usage: resize SOCKET DEVICE LEAST MOST STEPS\n");
    return 2;
  }
  const unsigned long long sizes[] = {strtoull(arguments[3], NULL, 10), strtoull(arguments[4], NULL, 10)};
  FILE *monitor = connect_to(arguments[1]);
  say(monitor, "{\"execute\": \"qmp_capabilities\"}");
  wait_for(monitor, sizes[0]);
  for (long step = 0; step < strtol(arguments[5], NULL, 10); step++) {
    const unsigned long long size = sizes[1 - step % 2];
    char text[256];
    snprintf(text, sizeof text,
             "{\"execute\": \"qom-set\", \"arguments\": {\"path\": \"%s\", \"property\": \"requested-size\", \"value\": %llu}}",
             arguments[2], size);
    say(monitor, text);
    wait_for(monitor, size);
  }
  say(monitor, "{\"execute\": \"quit\"}");
  while (fgetc(monitor) != EOF) {
  }
  return 0;
}
