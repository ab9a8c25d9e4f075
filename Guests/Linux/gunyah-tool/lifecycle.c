// A secondary machine from its making to its end: memory is taken from this machine's kernel, filled with Linux, lent,
// and taken back. Each step's notifications, states and errors are checked.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

enum {
  mebibyte = 1 << 20,
  piece_size = 2 * mebibyte,
  tree_capacity = 64 << 10,
  // What the initramfs's program is told to serve.
  label = 1,
  shared_size = 2 * 4096,
};

static const u64 base = 0x40000000;
static const char command_line[] =
    "console=ttyAMA0 quiet initcall_blacklist=trace_eval_init apus_mode=exec "
    "apus_exec=\"insmod /gunyah/gunyah-client.ko && gunyah-tool serve 1\"";

enum state {
  initial = 1,
  ready = 2,
  running = 3,
  loading = 5,
  exited = 9,
  resetting = 10,
  was_reset = 11,
};

// --- The machine ---

struct plan {
  u8 *image, *initramfs;
  size_t image_size, initramfs_size;
  u64 messages, bells;
  u16 own;
  bool is_gic2;
};

static u16 vmid_of(u32 id, const struct payload *request) {
  struct payload reply;
  u32 error = ask(id, request, &reply);
  errno = 0;
  if (error != 0 || reply.size != 4)
    fail("0x%x gives no VMID: error 0x%x", id, error);
  return *(u16 *)reply.bytes;
}

static void expect_state(u16 vmid, u8 state) {
  struct payload request = {.size = 0}, reply;
  put16(&request, vmid);
  put16(&request, 0);
  u32 error = ask(get_state, &request, &reply);
  errno = 0;
  if (error != 0 || reply.size != 4 || reply.bytes[0] != state)
    fail("state %u where %u is due: error 0x%x", reply.bytes[0], state, error);
}

// Where what is put, from the beginning of the memory.
static void load(const struct plan *plan, const struct memory *memory, bool is_proxy, u64 *tree, u64 *tree_size) {
  u64 initramfs = 32 * (u64)mebibyte;
  *tree = memory->size - piece_size;
  *tree_size = tree_capacity;
  if (plan->image_size > initramfs / 2 || plan->initramfs_size > *tree - initramfs)
    fail("the machine's memory is too small");
  struct tree_wishes wishes = {
      .base = base,
      .memory_size = memory->size,
      .initramfs = base + initramfs,
      .initramfs_size = plan->initramfs_size,
      .label = label,
      .command_line = command_line,
      .is_gic2 = plan->is_gic2,
      .is_proxy = is_proxy,
  };
  memcpy(memory->bytes, plan->image, plan->image_size);
  memcpy(memory->bytes + initramfs, plan->initramfs, plan->initramfs_size);
  write_tree(memory->bytes + *tree, tree_capacity, &wishes);
}

static void configure(const struct plan *plan, u16 vmid, u32 handle, u64 tree, u64 tree_size) {
  struct payload request = {.size = 0};
  put16(&request, vmid);
  put16(&request, 0);
  put32(&request, handle);
  put64(&request, 0);
  put64(&request, plan->image_size);
  put64(&request, tree);
  put64(&request, tree_size);
  ask_for(configure_image, &request, 0, "CONFIG_IMAGE");
}

// Opens what the machine and this one share.
//
// - proxy: gets the vCPU, started, where this machine schedules it.
static struct ends find_ends(u16 vmid, const struct memory *shared, struct proxy **proxy) {
  struct payload request = {.size = 0}, reply;
  struct gunyah_resource queue = {.kind = GUNYAH_QUEUE}, source = {.kind = GUNYAH_BELL_SOURCE};
  struct gunyah_resource bell = {.kind = GUNYAH_BELL}, vcpu = {.kind = GUNYAH_VCPU};
  struct gunyah_resource serial = {.kind = GUNYAH_BELL_SOURCE};
  u32 count, found = 0;
  put16(&request, vmid);
  put16(&request, 0);
  u32 error = ask(get_resources, &request, &reply);
  errno = 0;
  memcpy(&count, reply.bytes, sizeof(count));
  if (error != 0 || reply.size != 4 + count * sizeof(struct resource_entry))
    fail("GET_HYP_RESOURCES: error 0x%x, %zu bytes", error, reply.size);
  for (u32 index = 0; index < count; index++) {
    struct resource_entry entry;
    memcpy(&entry, reply.bytes + 4 + index * sizeof(entry), sizeof(entry));
    if (entry.partner != vmid)
      continue;
    if (entry.type == 4) {
      vcpu.transmit = entry.capability;
      vcpu.receive_interrupt = entry.interrupt;
    } else if (entry.type == 0 && entry.label == proxy_serial_label) {
      serial.transmit = entry.capability;
    }
    if (entry.label != label)
      continue;
    found |= 1U << entry.type;
    switch (entry.type) {
    case 0: source.transmit = entry.capability; break;
    case 1:
      bell.receive = entry.capability;
      bell.receive_interrupt = entry.interrupt;
      break;
    case 2:
      queue.transmit = entry.capability;
      queue.transmit_interrupt = entry.interrupt;
      break;
    case 3:
      queue.receive = entry.capability;
      queue.receive_interrupt = entry.interrupt;
      break;
    default: fail("a resource of type %u", entry.type);
    }
  }
  if (found != 0xF)
    fail("the machine's queues and doorbells are not all among its %u resources", count);
  if ((proxy != NULL) != (vcpu.transmit != 0))
    fail("%s vCPU is this machine's to schedule", proxy == NULL ? "a" : "no");
  if (proxy != NULL)
    *proxy = start_proxy(open_resource(&vcpu), open_resource(&serial));
  return (struct ends){
      .queue = open_resource(&queue),
      .bell_source = open_resource(&source),
      .bell = open_resource(&bell),
      .shared = shared->bytes,
      .shared_size = shared->size,
  };
}

static void expect_exit(u16 vmid, u16 kind, u32 code) {
  struct payload payload;
  u32 size, flags;
  next_notification(machine_exited, &payload);
  memcpy(&size, payload.bytes + 4, sizeof(size));
  memcpy(&flags, payload.bytes + 8, sizeof(flags));
  errno = 0;
  if (payload.size != 12 || *(u16 *)payload.bytes != vmid || *(u16 *)(payload.bytes + 2) != kind || size != 4 ||
      flags >> 16 != code)
    fail("EXITED of machine %u, type %u, %u bytes, code %u where type %u and code %u are due", *(u16 *)payload.bytes,
         *(u16 *)(payload.bytes + 2), size, flags >> 16, kind, code);
}

// Ends the machine in one way after the other.
static void finish(u16 vmid, const struct ends *ends, u64 round) {
  struct payload request = {.size = 0};
  u16 kind = 1;
  u32 code = 0;
  switch (round % 3) {
  case 0: tell_end(ends, power_off, 0); break;
  case 1:
    tell_end(ends, exit_call, 3);
    kind = 0;
    code = 3;
    break;
  default:
    tell_end(ends, wait_for_end, 0);
    put16(&request, vmid);
    put8(&request, 1);
    put8(&request, 0);
    put32(&request, 0);
    ask_for(stop, &request, 0, "STOP");
    kind = 7;
  }
  expect_status(vmid, exited);
  expect_exit(vmid, kind, code);
}

static void close_ends(const struct ends *ends) {
  u64 flags = 1;
  // The objects went with the machine.
  if (write(ends->bell_source, &flags, sizeof(flags)) >= 0 || (errno != ENXIO && errno != EPIPE))
    fail("the doorbell of a machine that is gone can be rung");
  close(ends->queue);
  close(ends->bell_source);
  close(ends->bell);
}

// Every second machine is this one's to schedule.
static void run_once(const struct plan *plan, const struct memory *memory, const struct memory *shared, u64 round) {
  struct payload any = {.size = 0};
  u64 begin = milliseconds(), tree, tree_size;
  struct proxy *proxy = NULL;
  bool is_proxy = round % 2 == 1;
  put32(&any, 0);
  u16 vmid = vmid_of(allocate, &any);
  expect_state(vmid, loading);
  ask_about(start, vmid, machine_state, "START of a machine without an image");
  ask_about(reset, vmid, machine_state, "RESET of a machine without an image");

  load(plan, memory, is_proxy, &tree, &tree_size);
  u64 loaded = milliseconds();
  u32 handle = lend_memory(memory, vmid);
  expect_there(memory, false, "that was lent");
  u32 shared_handle = share_memory(shared, label, plan->own, vmid);
  expect_there(shared, true, "that is shared");
  u64 lent = milliseconds();

  configure(plan, vmid, handle, tree, tree_size);
  expect_status(vmid, initial);
  ask_about(reset, vmid, machine_state, "RESET of a machine that is not made");
  ask_about(initialize, vmid, 0, "INIT");
  expect_status(vmid, ready);
  struct ends ends = find_ends(vmid, shared, is_proxy ? &proxy : NULL);
  ask_about(start, vmid, 0, "START");
  expect_status(vmid, running);
  expect_state(vmid, running);
  take_back(memory, handle, false, memory_in_use);
  ask_about(deallocate, vmid, machine_state, "DEALLOC of a machine that runs");

  await_other(&ends);
  u64 booted = milliseconds();
  lead_talk(&ends, plan->messages);
  lead_bells(&ends, plan->bells);
  check_shared(&ends);
  expect_there(memory, false, "of a machine that runs");
  u64 talked = milliseconds();
  finish(vmid, &ends, round);
  expect_state(vmid, exited);
  join_proxy(proxy);

  ask_about(reset, vmid, 0, "RESET");
  expect_status(vmid, resetting);
  expect_status(vmid, was_reset);
  close_ends(&ends);
  // What the machine left is there, or nothing, as this machine likes it.
  bool is_cleared = round / 2 % 2 == 1;
  take_back(memory, handle, is_cleared, 0);
  take_back(shared, shared_handle, false, 0);
  take_back(shared, shared_handle, false, handle_invalid);
  expect_there(memory, true, "that came back");
  errno = 0;
  if ((memcmp(memory->bytes + 56, "ARMd", 4) == 0) == is_cleared)
    fail("memory that came back is %scleared", is_cleared ? "not " : "");
  ask_about(deallocate, vmid, 0, "DEALLOC");
  ask_about(get_state, vmid, 2, "GET_STATE of a machine that is gone");
  if (!is_silent())
    fail("a message that nobody waits for");
  printf("round %llu: %s machine %u; loaded %llu ms, lent %llu ms, booted %llu ms, talked %llu ms, ended %llu ms\n",
         (unsigned long long)round, is_proxy ? "scheduled" : "own", vmid, (unsigned long long)(loaded - begin),
         (unsigned long long)(lent - loaded), (unsigned long long)(booted - lent),
         (unsigned long long)(talked - booted), (unsigned long long)(milliseconds() - talked));
}

void run_lifecycles(u64 count, const char *image, const char *initramfs, u64 messages, u64 bells, u64 mebibytes) {
  struct plan plan = {.messages = messages, .bells = bells};
  if (mebibytes < 48 || mebibytes % 2 != 0 || mebibytes > 1024)
    fail("%llu MiB are not 48 to 1024, and even", (unsigned long long)mebibytes);
  plan.image = read_file(image, &plan.image_size);
  plan.initramfs = read_file(initramfs, &plan.initramfs_size);
  plan.own = vmid_of(get_vmid, NULL);
  size_t size;
  u8 *compatible = read_file("/proc/device-tree/interrupt-controller@8000000/compatible", &size);
  compatible[size] = 0;
  plan.is_gic2 = strcmp((char *)compatible, "arm,gic-v3") != 0;
  struct memory memory = take_memory(mebibytes << 20, piece_size);
  struct memory shared = take_memory(shared_size, shared_size);
  for (u64 round = 0; round < count; round++) {
    set_patience(120 + (unsigned)((messages + bells) / 20));
    run_once(&plan, &memory, &shared, round);
  }
  printf("%llu life cycles\n", (unsigned long long)count);
}
