// Memory of this machine's kernel that other machines get, and what becomes of it.
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "tool.h"

struct memory take_memory(u64 size, u64 piece) {
  struct gunyah_memory wanted = {.size = size, .piece_size = piece};
  struct memory memory = {.size = size, .count = (u32)(size / piece)};
  memory.descriptor = ioctl(device(), GUNYAH_NEW_MEMORY, &wanted);
  if (memory.descriptor < 0)
    fail("the kernel has no %llu MiB", (unsigned long long)(size >> 20));
  memory.bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory.descriptor, 0);
  memory.addresses = calloc(memory.count, sizeof(u64));
  if (memory.bytes == MAP_FAILED || memory.addresses == NULL)
    fail("%llu bytes cannot be mapped", (unsigned long long)size);
  struct gunyah_pieces pieces = {.addresses = (u64)memory.addresses, .count = memory.count};
  if (ioctl(memory.descriptor, GUNYAH_PIECES, &pieces) < 0)
    fail("GUNYAH_PIECES");
  return memory;
}

static void mark(const struct memory *memory, bool is_lent) {
  if (ioctl(memory->descriptor, GUNYAH_LENT, is_lent) < 0)
    fail("GUNYAH_LENT");
}

// --- What a touch comes to ---

static sigjmp_buf touched;

static void on_abort(int signal) { siglongjmp(touched, signal); }

// Whether memory can be read and written.
static bool is_there(volatile u8 *place) {
  struct sigaction action = {.sa_handler = on_abort}, before;
  sigaction(SIGBUS, &action, &before);
  bool result = sigsetjmp(touched, 1) == 0;
  if (result)
    *place = *place;
  sigaction(SIGBUS, &before, NULL);
  return result;
}

void expect_there(const struct memory *memory, bool is_wanted, const char *when) {
  const u64 places[] = {0, 4095, memory->size / 2 - 1, memory->size - 1};
  errno = 0;
  for (size_t index = 0; index < sizeof(places) / sizeof(*places); index++)
    if (is_there(memory->bytes + places[index]) != is_wanted)
      fail("memory %s %s there, at 0x%llx", when, is_wanted ? "is not" : "is", (unsigned long long)places[index]);
}

// --- Parcels ---

static void put_access(struct payload *payload, u16 vmid, u8 rights) {
  put16(payload, vmid);
  put8(payload, rights);
  put8(payload, 0);
}

static void put_ranges(struct payload *payload, const struct memory *memory, u32 first, u32 count) {
  u64 piece = memory->size / memory->count;
  put16(payload, (u16)count);
  put16(payload, 0);
  for (u32 index = first; index < first + count; index++) {
    put64(payload, memory->addresses[index]);
    put64(payload, piece);
  }
}

static u32 make_parcel(u32 id, const struct payload *request) {
  struct payload reply;
  u32 error = ask(id, request, &reply), handle;
  errno = 0;
  if (error != 0 || reply.size != sizeof(handle))
    fail("a parcel is not made: error 0x%x", error);
  memcpy(&handle, reply.bytes, sizeof(handle));
  if (handle == 0)
    fail("a parcel has the handle 0");
  return handle;
}

u32 lend_memory(const struct memory *memory, u16 vmid) {
  struct payload request = {.size = 0};
  u32 half = memory->count / 2;
  put8(&request, 0);
  put8(&request, 0);
  put8(&request, 2);
  put8(&request, 0);
  put32(&request, 0);
  put16(&request, 1);
  put16(&request, 0);
  put_access(&request, vmid, 7);
  put_ranges(&request, memory, 0, half);
  put32(&request, 0);
  mark(memory, true);
  u32 handle = make_parcel(lend, &request);
  request.size = 0;
  put32(&request, handle);
  put32(&request, 1);
  put_ranges(&request, memory, half, memory->count - half);
  ask_for(append, &request, 0, "APPEND");
  return handle;
}

u32 share_memory(const struct memory *memory, u32 label, u16 own, u16 vmid) {
  struct payload request = {.size = 0};
  put32(&request, 0);
  put32(&request, label);
  put16(&request, 2);
  put16(&request, 0);
  put_access(&request, own, 6);
  put_access(&request, vmid, 6);
  put_ranges(&request, memory, 0, memory->count);
  put32(&request, 0);
  mark(memory, true);
  return make_parcel(share, &request);
}

void take_back(const struct memory *memory, u32 handle, bool is_cleared, u32 error) {
  struct payload request = {.size = 0};
  put32(&request, handle);
  put32(&request, is_cleared);
  ask_for(reclaim, &request, error, "RECLAIM");
  if (error == 0)
    mark(memory, false);
}
