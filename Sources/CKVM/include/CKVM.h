#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

// What <asm/kvm.h> has on arm64 only. Stated here, so that everything compiles on any host and against any age of the
// kernel's headers, and compared with the real header in layout.c where that is arm64's.

enum {
  CKVM_ARM_TARGET_WORDS = 7,
};

struct ckvm_vcpu_init {
  uint32_t target;
  uint32_t features[CKVM_ARM_TARGET_WORDS];
};

static const unsigned long CKVM_ARM_VCPU_INIT = _IOW(KVMIO, 0xae, struct ckvm_vcpu_init);
static const unsigned long CKVM_ARM_PREFERRED_TARGET = _IOR(KVMIO, 0xaf, struct ckvm_vcpu_init);
static const unsigned long CKVM_ARM_VCPU_FINALIZE = _IOW(KVMIO, 0xc2, int);

// struct kvm_guest_debug with arm64's struct kvm_guest_debug_arch.
enum {
  CKVM_DEBUG_REGISTERS = 16,
  CKVM_GUESTDBG_ENABLE = 1 << 0,
  CKVM_GUESTDBG_SINGLESTEP = 1 << 1,
  CKVM_GUESTDBG_USE_SW_BP = 1 << 16,
  CKVM_GUESTDBG_USE_HW = 1 << 17,
};

struct ckvm_guest_debug {
  uint32_t control;
  uint32_t pad;
  uint64_t breakpoint_control[CKVM_DEBUG_REGISTERS];
  uint64_t breakpoint_value[CKVM_DEBUG_REGISTERS];
  uint64_t watchpoint_control[CKVM_DEBUG_REGISTERS];
  uint64_t watchpoint_value[CKVM_DEBUG_REGISTERS];
};

static const unsigned long CKVM_SET_GUEST_DEBUG = _IOW(KVMIO, 0x9b, struct ckvm_guest_debug);

// struct kvm_vcpu_events of arm64.
struct ckvm_vcpu_events {
  uint8_t serror_pending;
  uint8_t serror_has_esr;
  uint8_t ext_dabt_pending;
  uint8_t pad[5];
  uint64_t serror_esr;
  uint32_t reserved[12];
};

static const unsigned long CKVM_GET_VCPU_EVENTS = _IOR(KVMIO, 0x9f, struct ckvm_vcpu_events);
static const unsigned long CKVM_SET_VCPU_EVENTS = _IOW(KVMIO, 0xa0, struct ckvm_vcpu_events);

// struct reg_mask_range: `addr` is of CKVM_ID_REGISTER_COUNT masks.
enum { CKVM_ID_REGISTER_COUNT = 3 * 8 * 8 };

struct ckvm_reg_mask_range {
  uint64_t addr;
  uint32_t range;
  uint32_t reserved[13];
};

static const unsigned long CKVM_ARM_GET_REG_WRITABLE_MASKS = _IOR(KVMIO, 0xb6, struct ckvm_reg_mask_range);

// struct kvm_smccc_filter, and the attribute of the machine that takes it.
enum {
  CKVM_SMCCC_CTRL = 0,
  CKVM_SMCCC_FILTER = 0,
};

struct ckvm_smccc_filter {
  uint32_t base;
  uint32_t nr_functions;
  uint8_t action;
  uint8_t pad[15];
};

static const unsigned long CKVM_GET_API_VERSION = KVM_GET_API_VERSION;
static const unsigned long CKVM_CREATE_VM = KVM_CREATE_VM;
static const unsigned long CKVM_CHECK_EXTENSION = KVM_CHECK_EXTENSION;
static const unsigned long CKVM_GET_VCPU_MMAP_SIZE = KVM_GET_VCPU_MMAP_SIZE;
static const unsigned long CKVM_CREATE_VCPU = KVM_CREATE_VCPU;
static const unsigned long CKVM_SET_USER_MEMORY_REGION = KVM_SET_USER_MEMORY_REGION;
static const unsigned long CKVM_IRQFD = KVM_IRQFD;
static const unsigned long CKVM_IOEVENTFD = KVM_IOEVENTFD;
static const unsigned long CKVM_CREATE_DEVICE = KVM_CREATE_DEVICE;
static const unsigned long CKVM_SET_DEVICE_ATTR = KVM_SET_DEVICE_ATTR;
static const unsigned long CKVM_GET_DEVICE_ATTR = KVM_GET_DEVICE_ATTR;
static const unsigned long CKVM_HAS_DEVICE_ATTR = KVM_HAS_DEVICE_ATTR;
static const unsigned long CKVM_RUN = KVM_RUN;
static const unsigned long CKVM_GET_MP_STATE = KVM_GET_MP_STATE;
static const unsigned long CKVM_SET_MP_STATE = KVM_SET_MP_STATE;
static const unsigned long CKVM_GET_ONE_REG = KVM_GET_ONE_REG;
static const unsigned long CKVM_SET_ONE_REG = KVM_SET_ONE_REG;
static const unsigned long CKVM_GET_REG_LIST = KVM_GET_REG_LIST;
static const unsigned long CKVM_ENABLE_CAP = KVM_ENABLE_CAP;

// CNTFRQ_EL0: how often a second the counters count, the host's and its guests'.
static inline uint64_t ckvm_counter_frequency(void) {
#if defined(__aarch64__)
  uint64_t frequency;
  __asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
  return frequency;
#else
  return 0;
#endif
}

// The descriptor, or minus errno.
static inline int ckvm_open_device(const char *_Nonnull path) {
  int descriptor = open(path, O_RDWR | O_CLOEXEC);
  return descriptor < 0 ? -errno : descriptor;
}

// The result of the call, or minus errno. Unsafe though it takes numbers: the argument of some requests is an address.
//
// On arm64 it is the system call itself: it changes no register but x0, where a call of the C library's function has
// its caller save all that a function may change, at each exit of a vCPU.
__attribute__((swift_attr("unsafe"))) static inline long ckvm_ioctl(int descriptor, unsigned long request, unsigned long argument) {
#if defined(__aarch64__)
  register long number __asm__("x8") = __NR_ioctl;
  register long result __asm__("x0") = descriptor;
  register unsigned long second __asm__("x1") = request;
  register unsigned long third __asm__("x2") = argument;
  __asm__ volatile("svc #0" : "+r"(result) : "r"(number), "r"(second), "r"(third) : "memory", "cc");
  return result;
#else
  int result = ioctl(descriptor, request, argument);
  return result < 0 ? -errno : result;
#endif
}

static inline long ckvm_ioctl_pointer(int descriptor, unsigned long request, void *_Nonnull argument) {
  return ckvm_ioctl(descriptor, request, (uintptr_t)argument);
}

// What came of KVM_GET_ONE_REG: a value, or an errno.
struct ckvm_register {
  uint64_t value;
  int error;
};

// KVM_GET_ONE_REG of a register of at most eight bytes, which is the caller's to see to: the kernel writes no more.
__attribute__((swift_attr("unsafe"))) static inline struct ckvm_register ckvm_get_register(int descriptor, uint64_t id) {
  struct ckvm_register result = {0, 0};
  struct kvm_one_reg request = {.id = id, .addr = (uintptr_t)&result.value};
  result.error = (int)-ckvm_ioctl_pointer(descriptor, KVM_GET_ONE_REG, &request);
  return result;
}

// KVM_SET_ONE_REG of such a register: 0, or an errno.
__attribute__((swift_attr("unsafe"))) static inline int ckvm_set_register(int descriptor, uint64_t id, uint64_t value) {
  struct kvm_one_reg request = {.id = id, .addr = (uintptr_t)&value};
  return (int)-ckvm_ioctl_pointer(descriptor, KVM_SET_ONE_REG, &request);
}

// Two core registers of eight bytes, one behind the other in struct kvm_regs, and 0 or an errno.
struct ckvm_register_pair {
  uint64_t first;
  uint64_t second;
  int error;
};

enum {
  // From the id of such a register to that of the next one: ids count words of four bytes.
  CKVM_NEXT_CORE_REGISTER = 2,
};

// KVM_GET_ONE_REG of both; the id is the caller's to see to, as above.
__attribute__((swift_attr("unsafe"))) static inline struct ckvm_register_pair ckvm_get_register_pair(int descriptor, uint64_t id) {
  struct ckvm_register_pair result = {0, 0, 0};
  struct kvm_one_reg request = {.id = id, .addr = (uintptr_t)&result.first};
  result.error = (int)-ckvm_ioctl_pointer(descriptor, KVM_GET_ONE_REG, &request);
  if (result.error != 0)
    return result;
  request = (struct kvm_one_reg){.id = id + CKVM_NEXT_CORE_REGISTER, .addr = (uintptr_t)&result.second};
  result.error = (int)-ckvm_ioctl_pointer(descriptor, KVM_GET_ONE_REG, &request);
  return result;
}

// KVM_SET_ONE_REG of both: 0, or an errno.
__attribute__((swift_attr("unsafe"))) static inline int ckvm_set_register_pair(int descriptor, uint64_t id, uint64_t first, uint64_t second) {
  struct kvm_one_reg request = {.id = id, .addr = (uintptr_t)&first};
  int error = (int)-ckvm_ioctl_pointer(descriptor, KVM_SET_ONE_REG, &request);
  if (error != 0)
    return error;
  request = (struct kvm_one_reg){.id = id + CKVM_NEXT_CORE_REGISTER, .addr = (uintptr_t)&second};
  return (int)-ckvm_ioctl_pointer(descriptor, KVM_SET_ONE_REG, &request);
}

// KVM_IRQ_LINE of an interrupt by KVM's number of it: 0, or an errno.
static inline int ckvm_set_line(int descriptor, uint32_t interrupt, bool level) {
  struct kvm_irq_level line = {.irq = interrupt, .level = level};
  long result = ckvm_ioctl_pointer(descriptor, KVM_IRQ_LINE, &line);
  return result < 0 ? (int)-result : 0;
}

// KVM_GET_DIRTY_LOG of one slot into `bitmap`, one bit for each page of the host's, rounded up to 64 bits.
static inline long ckvm_dirty_log(int descriptor, uint32_t slot, uint64_t *_Nonnull bitmap) {
  struct kvm_dirty_log log = {.slot = slot, .dirty_bitmap = bitmap};
  return ckvm_ioctl_pointer(descriptor, KVM_GET_DIRTY_LOG, &log);
}

// One MMIO exit as four numbers: Swift sees no anonymous unions with arrays in them.
struct ckvm_mmio {
  uint64_t address;
  uint64_t data;
  uint32_t length;
  bool is_write;
};

static inline struct ckvm_mmio ckvm_run_mmio(const struct kvm_run *_Nonnull run) {
  struct ckvm_mmio mmio = {run->mmio.phys_addr, 0, run->mmio.len, run->mmio.is_write != 0};
  // KVM writes at most eight bytes, in the guest's order; Apus runs little-endian guests only.
  memcpy(&mmio.data, run->mmio.data, sizeof mmio.data);
  if (mmio.length < 8)
    mmio.data &= (UINT64_C(1) << (mmio.length * 8)) - 1;
  return mmio;
}

static inline void ckvm_run_answer(struct kvm_run *_Nonnull run, uint64_t data) {
  memcpy(run->mmio.data, &data, sizeof data);
}

// Set by any thread: the next KVM_RUN, or the one under way when a signal follows, returns EINTR.
static inline void ckvm_run_set_immediate_exit(struct kvm_run *_Nonnull run, bool on) {
  __atomic_store_n(&run->immediate_exit, on ? 1 : 0, __ATOMIC_SEQ_CST);
}

struct ckvm_system_event {
  uint32_t type;
  uint32_t count;
  uint64_t flags;
};

static inline struct ckvm_system_event ckvm_run_system_event(const struct kvm_run *_Nonnull run) {
  struct ckvm_system_event event = {run->system_event.type, run->system_event.ndata, 0};
#ifdef KVM_SYSTEM_EVENT_WAKEUP
  event.flags = run->system_event.ndata > 0 ? run->system_event.data[0] : 0;
#endif
  return event;
}

// KVM_EXIT_DEBUG: struct kvm_debug_exit_arch of arm64, which stands where every exit's fields do.
struct ckvm_debug_exit {
  uint32_t syndrome_low;
  uint32_t syndrome_high;
  uint64_t fault_address;
};

static inline struct ckvm_debug_exit ckvm_run_debug_exit(const struct kvm_run *_Nonnull run) {
  struct ckvm_debug_exit exit;
  memcpy(&exit, &run->mmio, sizeof exit);
  return exit;
}

// One pair of debug registers; `number` is below CKVM_DEBUG_REGISTERS.
static inline void ckvm_debug_set_breakpoint(struct ckvm_guest_debug *_Nonnull debug, int number, uint64_t control, uint64_t value) {
  debug->breakpoint_control[number] = control;
  debug->breakpoint_value[number] = value;
}

static inline void ckvm_debug_set_watchpoint(struct ckvm_guest_debug *_Nonnull debug, int number, uint64_t control, uint64_t value) {
  debug->watchpoint_control[number] = control;
  debug->watchpoint_value[number] = value;
}

// KVM_EXIT_HYPERCALL of arm64: the flags, whose bit 0 is KVM_HYPERCALL_EXIT_SMC, stand behind the number, six arguments
// and the result; headers before Linux 6.4 have no name for them.
enum { CKVM_HYPERCALL_FLAGS = 64 };

struct ckvm_hypercall {
  uint32_t number;
  bool is_smc;
};

static inline struct ckvm_hypercall ckvm_run_hypercall(const struct kvm_run *_Nonnull run) {
  uint64_t flags;
  memcpy(&flags, (const char *)&run->hypercall + CKVM_HYPERCALL_FLAGS, sizeof flags);
  struct ckvm_hypercall call = {(uint32_t)run->hypercall.nr, (flags & 1) != 0};
  return call;
}

struct ckvm_no_syndrome {
  uint64_t iss;
  uint64_t address;
};

static inline struct ckvm_no_syndrome ckvm_run_no_syndrome(const struct kvm_run *_Nonnull run) {
  struct ckvm_no_syndrome fault = {run->arm_nisv.esr_iss, run->arm_nisv.fault_ipa};
  return fault;
}
