// What the program's parts have in common. All of it ends the program with status 1 and a line of what went wrong where
// something does: who calls, goes on only where all is as it should be.
#ifndef TOOL_H
#define TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../gunyah-client/gunyah-client.h"

typedef uint64_t u64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;

__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);

// The device's descriptor, opened once.
int device(void);
// Waits that take longer end the program.
void set_patience(unsigned seconds);
// On a clock that stands for nobody, in milliseconds.
u64 milliseconds(void);
u64 parse_number(const char *text);
// All of a file, and where it ends; the memory is the caller's for ever.
u8 *read_file(const char *path, size_t *size);

// --- manager.c: the resource manager ---

enum {
  rpc_size_max = 15000,
  allocate = 0x56000001,
  deallocate = 0x56000002,
  start = 0x56000004,
  stop = 0x56000005,
  reset = 0x56000006,
  configure_image = 0x56000009,
  initialize = 0x5600000B,
  get_state = 0x56000017,
  get_resources = 0x56000020,
  get_vmid = 0x56000024,
  exit_machine = 0x56000085,
  lend = 0x51000012,
  share = 0x51000013,
  reclaim = 0x51000015,
  append = 0x51000018,
  machine_exited = 0x56100001,
  machine_status = 0x56100008,
};

enum {
  denied = 0x3,
  argument_invalid = 0x6,
  handle_invalid = 0x7,
  memory_in_use = 0xB,
  vmid_invalid = 0xD,
  machine_state = 0x14,
};

struct payload {
  u8 bytes[rpc_size_max];
  size_t size;
};

void put8(struct payload *payload, u8 value);
void put16(struct payload *payload, u16 value);
void put32(struct payload *payload, u32 value);
void put64(struct payload *payload, u64 value);

// The error of a request, and what its reply has behind that.
u32 ask(u32 id, const struct payload *request, struct payload *reply);
// The same, where the error is known.
void ask_for(u32 id, const struct payload *request, u32 error, const char *what);
void ask_about(u32 id, u16 vmid, u32 error, const char *what);
// The next notification, which came already or comes.
void next_notification(u32 id, struct payload *notification);
// Whether none waits to be read.
bool is_silent(void);
void expect_status(u16 vmid, u8 state);
void print_rpc(u32 id, const char *hexadecimal);

struct __attribute__((packed)) resource_entry {
  u8 type;
  u8 reserved;
  u16 partner;
  u32 handle, label;
  u64 capability;
  u32 interrupt_handle, interrupt;
  u64 base, size;
};

// --- lending.c: memory that others get ---

struct memory {
  int descriptor;
  u8 *bytes;
  u64 size;
  u64 *addresses;
  u32 count;
};

// Takes memory from the kernel, in pieces of so many bytes that are contiguous, and maps it.
struct memory take_memory(u64 size, u64 piece);
// Ends the program where a look at the memory does not come to what is wanted: SIGBUS where it is not there.
void expect_there(const struct memory *memory, bool is_wanted, const char *when);
// Lends all of it in two steps, with all rights; the parcel's handle.
u32 lend_memory(const struct memory *memory, u16 vmid);
// Shares all of it, to be read and written by both; the parcel's handle.
u32 share_memory(const struct memory *memory, u32 label, u16 own, u16 vmid);
// Takes a parcel's memory back, where the error is 0.
void take_back(const struct memory *memory, u32 handle, bool is_cleared, u32 error);

// --- talk.c: two programs with queues and doorbells between them ---

struct ends {
  int queue;
  // -1: there is none
  int bell_source, bell;
  // NULL: there is none
  u8 *shared;
  size_t shared_size;
};

// How the other end's machine ends.
enum ending { power_off = 1, exit_call, wait_for_end, end_of_talk };

int open_node(enum gunyah_kind kind, u32 label, bool is_optional);
int open_resource(const struct gunyah_resource *resource);
struct ends open_ends(u32 label);
// Asks one question, and waits for the answer, unless a notification says that the other machine has ended.
void await_other(const struct ends *ends);
void lead_talk(const struct ends *ends, u64 count);
void lead_bells(const struct ends *ends, u64 count);
void check_shared(const struct ends *ends);
void tell_end(const struct ends *ends, enum ending ending, u8 code);
void serve(const struct ends *ends);
void ring_alone(u32 rung, u32 heard, u64 count, bool leads);
void try_buffers(u32 label);

// --- proxy.c: a vCPU that this machine schedules, with a serial port for it ---

struct proxy;

// Runs the vCPU on a thread of its own.
struct proxy *start_proxy(int vcpu, int bell);
// Waits until it is off for good.
void join_proxy(struct proxy *proxy);

// --- lifecycle.c, tree.c: machines ---

void run_lifecycles(u64 count, const char *image, const char *initramfs, u64 messages, u64 bells, u64 mebibytes);

struct tree_wishes {
  u64 base, memory_size, initramfs, initramfs_size;
  u32 label;
  const char *command_line;
  bool is_gic2;
  // Whether its owner schedules it, and serves its serial port.
  bool is_proxy;
};

// The serial port's interrupt of a machine that its owner schedules: shared, counted from 0; and the label of the
// doorbell that raises it, as crosvm has it: counted as the interrupt controller does.
enum { proxy_serial_interrupt = 200, proxy_serial_label = 232 };


// Writes a secondary machine's device tree; its size.
size_t write_tree(u8 *place, size_t capacity, const struct tree_wishes *wishes);

#endif
