// Requests to the resource manager, and its notifications.
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static void put(struct payload *payload, const void *bytes, size_t size) {
  if (payload->size + size > sizeof(payload->bytes))
    fail("a request of more than %zu bytes", sizeof(payload->bytes));
  memcpy(payload->bytes + payload->size, bytes, size);
  payload->size += size;
}

void put8(struct payload *payload, u8 value) { put(payload, &value, sizeof(value)); }
void put16(struct payload *payload, u16 value) { put(payload, &value, sizeof(value)); }
void put32(struct payload *payload, u32 value) { put(payload, &value, sizeof(value)); }
void put64(struct payload *payload, u64 value) { put(payload, &value, sizeof(value)); }

struct message {
  struct gunyah_message header;
  u8 payload[rpc_size_max];
};

struct notification {
  struct notification *next;
  u32 id;
  struct payload payload;
};

static struct notification *first, **last = &first;

// Reads one message; a notification is kept. Its payload's size, or -1 for a notification.
static ssize_t read_message(struct message *message) {
  ssize_t size = read(device(), message, sizeof(*message));
  if (size < (ssize_t)sizeof(message->header))
    fail("the resource manager does not answer");
  size -= (ssize_t)sizeof(message->header);
  if (message->header.kind == GUNYAH_REPLY)
    return size;
  struct notification *notification = malloc(sizeof(*notification));
  if (notification == NULL)
    fail("no memory for a notification");
  notification->next = NULL;
  notification->id = message->header.id;
  notification->payload.size = (size_t)size;
  memcpy(notification->payload.bytes, message->payload, (size_t)size);
  *last = notification;
  last = &notification->next;
  return -1;
}

u32 ask(u32 id, const struct payload *request, struct payload *reply) {
  static struct message message;
  size_t size = request == NULL ? 0 : request->size;
  message.header = (struct gunyah_message){.kind = GUNYAH_REQUEST, .id = id};
  if (size > 0)
    memcpy(message.payload, request->bytes, size);
  if (write(device(), &message, sizeof(message.header) + size) < 0)
    fail("request 0x%x cannot be sent", id);
  ssize_t answered;
  while ((answered = read_message(&message)) < 0) {
  }
  if (message.header.id != id || answered < 4)
    fail("a reply of %zd bytes to 0x%x where one to 0x%x is due", answered, message.header.id, id);
  if (reply != NULL) {
    reply->size = (size_t)answered - 4;
    memcpy(reply->bytes, message.payload + 4, reply->size);
  }
  u32 error;
  memcpy(&error, message.payload, sizeof(error));
  return error;
}

void ask_for(u32 id, const struct payload *request, u32 error, const char *what) {
  u32 result = ask(id, request, NULL);
  errno = 0;
  if (result != error)
    fail("%s: error 0x%x instead of 0x%x", what, result, error);
}

void ask_about(u32 id, u16 vmid, u32 error, const char *what) {
  struct payload request = {.size = 0};
  put16(&request, vmid);
  put16(&request, 0);
  ask_for(id, &request, error, what);
}

void next_notification(u32 id, struct payload *payload) {
  static struct message message;
  while (first == NULL)
    if (read_message(&message) >= 0)
      fail("a reply that nobody waits for");
  struct notification *notification = first;
  first = notification->next;
  if (first == NULL)
    last = &first;
  if (notification->id != id)
    fail("notification 0x%x where 0x%x is due", notification->id, id);
  *payload = notification->payload;
  free(notification);
}

bool is_silent(void) {
  struct pollfd poll_descriptor = {.fd = device(), .events = POLLIN};
  return first == NULL && poll(&poll_descriptor, 1, 0) == 0;
}

void expect_status(u16 vmid, u8 state) {
  struct payload payload;
  next_notification(machine_status, &payload);
  if (payload.size != 8 || *(u16 *)payload.bytes != vmid || payload.bytes[4] != state)
    fail("status %u of machine %u where %u of %u is due", payload.bytes[4], *(u16 *)payload.bytes, state, vmid);
}

static unsigned digit(char character) {
  const char *digits = "0123456789abcdef", *place = strchr(digits, character | 0x20);
  if (character == 0 || place == NULL)
    fail("'%c' is no hexadecimal digit", character);
  return (unsigned)(place - digits);
}

void print_rpc(u32 id, const char *hexadecimal) {
  struct payload request = {.size = 0}, reply;
  for (; *hexadecimal != 0; hexadecimal += 2)
    put8(&request, (u8)(digit(hexadecimal[0]) << 4 | digit(hexadecimal[1])));
  printf("error 0x%x", ask(id, &request, &reply));
  for (size_t index = 0; index < reply.size; index++)
    printf("%s%02x", index == 0 ? " payload " : "", reply.bytes[index]);
  printf("\n");
}
