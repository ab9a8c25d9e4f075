// Two programs in two machines, with a pair of queues, doorbells and memory between them. One leads, the other serves.
// Every message has its number, and bytes that follow from it: one that is lost, doubled or torn is told apart.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tool.h"

enum kind { question = 1, answer, stream, data, received, bells, memory, end };

struct frame {
  u32 kind;
  u32 sequence;
  u64 argument;
  u64 checksum;
  u8 bytes[216];
};

enum { frame_size = 240, header_size = 24, pairs_of_pages = 2 };
_Static_assert(sizeof(struct frame) == frame_size, "a frame is the largest message of the usual queues");

static u64 mixed(u64 value) {
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
  value = (value ^ value >> 27) * 0x94D049BB133111EB;
  return value ^ value >> 31;
}

static u64 checksum(const u8 *bytes, size_t count) {
  u64 result = 0xCBF29CE484222325;
  for (size_t index = 0; index < count; index++)
    result = (result ^ bytes[index]) * 0x100000001B3;
  return result;
}

static size_t data_size(u32 sequence) { return mixed(sequence) % (frame_size - header_size + 1); }

static void send_frame(int queue, struct frame *frame, size_t count) {
  frame->checksum = checksum(frame->bytes, count);
  ssize_t sent = write(queue, frame, header_size + count);
  if (sent != (ssize_t)(header_size + count))
    fail("message %u of kind %u cannot be sent", frame->sequence, frame->kind);
}

static void send_kind(int queue, enum kind kind, u32 sequence, u64 argument) {
  struct frame frame = {.kind = kind, .sequence = sequence, .argument = argument};
  send_frame(queue, &frame, 0);
}

// A frame's bytes behind its header.
static size_t receive_frame(int queue, struct frame *frame) {
  ssize_t size = read(queue, frame, sizeof(*frame));
  if (size < header_size)
    fail("no message comes");
  size -= header_size;
  if (frame->checksum != checksum(frame->bytes, (size_t)size))
    fail("message %u of kind %u is not what was sent", frame->sequence, frame->kind);
  return (size_t)size;
}

static void expect_frame(int queue, struct frame *frame, enum kind kind, u32 sequence) {
  receive_frame(queue, frame);
  errno = 0;
  if (frame->kind != kind || frame->sequence != sequence)
    fail("message %u of kind %u where %u of %u is due", frame->sequence, frame->kind, sequence, kind);
}

static void fill(struct frame *frame, u32 sequence) {
  *frame = (struct frame){.kind = data, .sequence = sequence};
  for (size_t index = 0; index < sizeof(frame->bytes); index++)
    frame->bytes[index] = (u8)mixed((u64)sequence << 8 | index / 8) + (u8)index;
}

static void send_stream(int queue, u64 count) {
  struct frame frame;
  for (u64 sequence = 0; sequence < count; sequence++) {
    fill(&frame, (u32)sequence);
    send_frame(queue, &frame, data_size((u32)sequence));
  }
}

// The longest that one message took to come, in milliseconds.
static u64 receive_stream(int queue, u64 count) {
  struct frame frame, wanted;
  u64 longest = 0, before = milliseconds();
  for (u64 sequence = 0; sequence < count; sequence++) {
    size_t size = receive_frame(queue, &frame);
    fill(&wanted, (u32)sequence);
    errno = 0;
    if (frame.kind != data || frame.sequence != (u32)sequence)
      fail("message %u of kind %u in a stream where %llu is due", frame.sequence, frame.kind,
           (unsigned long long)sequence);
    if (size != data_size((u32)sequence) || memcmp(frame.bytes, wanted.bytes, size) != 0)
      fail("message %llu of a stream has %zu bytes that are not its own", (unsigned long long)sequence, size);
    u64 now = milliseconds();
    if (now - before > longest)
      longest = now - before;
    before = now;
  }
  return longest;
}

// --- Ends ---

static struct gunyah_port ask_port(int descriptor) {
  struct gunyah_port port;
  if (ioctl(descriptor, GUNYAH_PORT, &port) < 0)
    fail("GUNYAH_PORT");
  return port;
}

int open_node(enum gunyah_kind kind, u32 label, bool is_optional) {
  struct gunyah_node node = {.kind = kind, .label = label};
  int descriptor = ioctl(device(), GUNYAH_OPEN_NODE, &node);
  if (descriptor < 0 && !(is_optional && errno == ENODEV))
    fail("the device tree's node of kind %u with label %u cannot be used", kind, label);
  return descriptor;
}

int open_resource(const struct gunyah_resource *resource) {
  int descriptor = ioctl(device(), GUNYAH_OPEN_RESOURCE, resource);
  if (descriptor < 0)
    fail("capabilities 0x%llx and 0x%llx cannot be used", (unsigned long long)resource->transmit,
         (unsigned long long)resource->receive);
  return descriptor;
}

struct ends open_ends(u32 label) {
  struct ends ends = {
      .queue = open_node(GUNYAH_QUEUE, label, false),
      .bell_source = open_node(GUNYAH_BELL_SOURCE, label, true),
      .bell = open_node(GUNYAH_BELL, label, true),
      .shared_size = pairs_of_pages * 4096,
  };
  int shared = open_node(GUNYAH_SHARED_MEMORY, label, true);
  if (shared >= 0) {
    ends.shared = mmap(NULL, ends.shared_size, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
    if (ends.shared == MAP_FAILED)
      fail("shared memory cannot be mapped");
  }
  return ends;
}

// --- Leading ---

void await_other(const struct ends *ends) {
  struct pollfd waits[] = {{.fd = ends->queue, .events = POLLIN}, {.fd = device(), .events = POLLIN}};
  struct frame frame;
  send_kind(ends->queue, question, 0, 0);
  // What is there may be from before the other end was: the first look finds nothing.
  while (poll(waits, 2, -1) > 0 && waits[1].revents == 0) {
    int flags = fcntl(ends->queue, F_GETFL);
    fcntl(ends->queue, F_SETFL, flags | O_NONBLOCK);
    ssize_t size = read(ends->queue, &frame, sizeof(frame));
    int error = errno;
    fcntl(ends->queue, F_SETFL, flags);
    if (size < 0 && error == EAGAIN)
      continue;
    if (size != header_size || frame.kind != answer)
      break;
    return;
  }
  fail("the other machine does not answer");
}

void lead_talk(const struct ends *ends, u64 count) {
  struct frame frame;
  u64 begin = milliseconds();
  for (u64 sequence = 0; sequence < count; sequence++) {
    send_kind(ends->queue, question, (u32)sequence, mixed(sequence));
    expect_frame(ends->queue, &frame, answer, (u32)sequence);
    if (frame.argument != ~mixed(sequence))
      fail("question %llu has another one's answer", (unsigned long long)sequence);
  }
  u64 asked = milliseconds() - begin;
  send_kind(ends->queue, stream, 0, count);
  send_stream(ends->queue, count);
  expect_frame(ends->queue, &frame, received, (u32)count);
  u64 theirs = frame.argument, ours = receive_stream(ends->queue, count);
  struct gunyah_port port = ask_port(ends->queue);
  printf("talked: %llu questions in %llu ms; %llu messages each way, in %llu ms; longest wait %llu ms; "
         "interrupts %llu tx, %llu rx\n",
         (unsigned long long)count, (unsigned long long)asked, (unsigned long long)count,
         (unsigned long long)(milliseconds() - begin - asked), (unsigned long long)(theirs > ours ? theirs : ours),
         (unsigned long long)port.transmit_interrupts, (unsigned long long)port.receive_interrupts);
}

static void ring(int source, u64 flags) {
  if (write(source, &flags, sizeof(flags)) != sizeof(flags))
    fail("a doorbell cannot be rung");
}

static void hear(int bell, u64 flags, u64 round) {
  u64 heard = 0;
  if (read(bell, &heard, sizeof(heard)) != sizeof(heard))
    fail("doorbell %llu is not heard", (unsigned long long)round);
  errno = 0;
  if (heard != flags)
    fail("doorbell %llu has flags 0x%llx instead of 0x%llx", (unsigned long long)round, (unsigned long long)heard,
         (unsigned long long)flags);
}

static void ring_rounds(const struct ends *ends, u64 count, bool leads) {
  for (u64 round = 0; round < count; round++) {
    u64 flags = 1ULL << round % 64;
    if (leads)
      ring(ends->bell_source, flags);
    hear(ends->bell, leads ? flags | 2 : flags, round);
    if (!leads)
      ring(ends->bell_source, flags | 2);
  }
}

void lead_bells(const struct ends *ends, u64 count) {
  struct frame frame;
  send_kind(ends->queue, bells, 0, count);
  u64 before = ask_port(ends->bell).receive_interrupts;
  u64 begin = milliseconds();
  ring_rounds(ends, count, true);
  u64 took = milliseconds() - begin;
  u64 heard = ask_port(ends->bell).receive_interrupts - before;
  expect_frame(ends->queue, &frame, received, 0);
  errno = 0;
  if (heard != count || frame.argument != count)
    fail("%llu doorbells were %llu interrupts here and %llu there", (unsigned long long)count,
         (unsigned long long)heard, (unsigned long long)frame.argument);
  printf("rang: %llu doorbells each way in %llu ms, each one interrupt\n", (unsigned long long)count,
         (unsigned long long)took);
}

void ring_alone(u32 rung, u32 heard, u64 count, bool leads) {
  struct ends ends = {
      .bell_source = open_node(GUNYAH_BELL_SOURCE, rung, false),
      .bell = open_node(GUNYAH_BELL, heard, false),
  };
  ring_rounds(&ends, count, leads);
  printf("rang: %llu doorbells, %llu interrupts\n", (unsigned long long)count,
         (unsigned long long)ask_port(ends.bell).receive_interrupts);
}

void check_shared(const struct ends *ends) {
  struct frame frame;
  size_t half = ends->shared_size / 2;
  for (size_t index = 0; index < half; index++)
    ends->shared[index] = (u8)mixed(index + 1);
  send_kind(ends->queue, memory, 0, half);
  expect_frame(ends->queue, &frame, received, 0);
  errno = 0;
  if (frame.argument != checksum(ends->shared, half))
    fail("the other machine reads something else in shared memory");
  for (size_t index = 0; index < half; index++)
    if ((ends->shared[half + index] ^ ends->shared[index]) != 0xFF)
      fail("what the other machine has written into shared memory is not there, at %zu", half + index);
  printf("shared: %zu bytes each way\n", half);
}

void tell_end(const struct ends *ends, enum ending ending, u8 code) {
  send_kind(ends->queue, end, code, ending);
}

// --- Serving ---

static void serve_memory(const struct ends *ends, u64 half) {
  if (ends->shared == NULL || 2 * half > ends->shared_size)
    fail("there is no shared memory of %llu bytes", (unsigned long long)half);
  for (size_t index = 0; index < half; index++)
    ends->shared[half + index] = ends->shared[index] ^ 0xFF;
  send_kind(ends->queue, received, 0, checksum(ends->shared, half));
}

static void serve_bells(const struct ends *ends, u64 count) {
  // The first ring may be heard before the message that tells of it.
  static u64 before;
  ring_rounds(ends, count, false);
  u64 now = ask_port(ends->bell).receive_interrupts;
  send_kind(ends->queue, received, 0, now - before);
  before = now;
}

void serve(const struct ends *ends) {
  struct frame frame;
  for (;;) {
    size_t size = receive_frame(ends->queue, &frame);
    switch ((enum kind)frame.kind) {
    case question:
      frame.kind = answer;
      frame.argument = ~frame.argument;
      send_frame(ends->queue, &frame, size);
      break;
    case stream: {
      u64 count = frame.argument, longest = receive_stream(ends->queue, count);
      send_kind(ends->queue, received, (u32)count, longest);
      send_stream(ends->queue, count);
      break;
    }
    case bells: serve_bells(ends, frame.argument); break;
    case memory: serve_memory(ends, frame.argument); break;
    case end: {
      struct payload request = {.size = 0};
      if (frame.argument == power_off || frame.argument == end_of_talk)
        return;
      if (frame.argument == wait_for_end)
        for (;;)
          pause();
      put16(&request, 0);
      put8(&request, (u8)frame.sequence);
      put8(&request, 0);
      ask_for(exit_machine, &request, 0, "EXIT");
      fail("the machine goes on behind its EXIT");
    }
    default: fail("a message of kind %u", frame.kind);
    }
  }
}

// --- Memory of all kinds ---

static void call_queue(u32 number, u64 capability, enum gunyah_buffer buffer, struct frame *frame, u64 size,
                       struct gunyah_raw_call *call) {
  // msgq_send has size and address, msgq_recv address and size.
  bool sends = number == 0xC600801B;
  *call = (struct gunyah_raw_call){
      .registers = {number, capability, size, size, sends ? 1 : 0},
      .buffer = buffer,
      .place = sends ? 3 : 2,
      .size = (u32)size,
      .data = (u64)frame,
  };
  if (ioctl(device(), GUNYAH_RAW_CALL, call) < 0)
    fail("GUNYAH_RAW_CALL");
}

void try_buffers(u32 label) {
  static const char *const names[] = {"", "linear", "vmalloc", "data", "stack"};
  struct frame frame;
  struct gunyah_raw_call call;
  int queue = open_node(GUNYAH_QUEUE, label, false);
  struct gunyah_port before = ask_port(queue), after;
  call_queue(0xC600801B, before.transmit, GUNYAH_GUARD, &frame, frame_size, &call);
  if (call.registers[0] != 22)
    fail("a message from nowhere: error %lld instead of 22", (long long)call.registers[0]);
  for (u32 kind = GUNYAH_LINEAR; kind <= GUNYAH_STACK; kind++) {
    fill(&frame, kind);
    frame.kind = question;
    frame.checksum = checksum(frame.bytes, sizeof(frame.bytes));
    before = ask_port(queue);
    call_queue(0xC600801B, before.transmit, (enum gunyah_buffer)kind, &frame, frame_size, &call);
    if (call.registers[0] != 0 || call.registers[1] != 1)
      fail("%s memory: sent with error %lld", names[kind], (long long)call.registers[0]);
    do {
      usleep(1000);
      after = ask_port(queue);
    } while (after.receive_interrupts == before.receive_interrupts);
    memset(&frame, 0, sizeof(frame));
    call_queue(0xC600801C, before.receive, GUNYAH_GUARD, &frame, frame_size, &call);
    if (call.registers[0] != 22)
      fail("a message to nowhere: error %lld instead of 22", (long long)call.registers[0]);
    call_queue(0xC600801C, before.receive, (enum gunyah_buffer)kind, &frame, frame_size - 1, &call);
    if (call.registers[0] != 20)
      fail("%s memory: too little is error %lld instead of 20", names[kind], (long long)call.registers[0]);
    call_queue(0xC600801C, before.receive, (enum gunyah_buffer)kind, &frame, frame_size, &call);
    struct frame wanted;
    fill(&wanted, kind);
    errno = 0;
    if (call.registers[0] != 0 || call.registers[1] != frame_size || call.registers[2] != 0)
      fail("%s memory: received with error %lld", names[kind], (long long)call.registers[0]);
    if (frame.kind != answer || memcmp(frame.bytes, wanted.bytes, sizeof(wanted.bytes)) != 0)
      fail("%s memory: the bytes are not those that were sent", names[kind]);
    printf("%s memory: 240 bytes\n", names[kind]);
  }
  struct ends ends = {.queue = queue};
  tell_end(&ends, end_of_talk, 0);
}
