// What Swift cannot say itself: accesses to devices, system registers, and calls to the firmware.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MACHINE_UNSAFE __attribute__((swift_attr("unsafe")))

// The address of the device tree.
extern const uintptr_t machine_device_tree;

// Exactly one load or store each, without writeback, so that a hypervisor gets a syndrome that describes it.
#define MACHINE_ACCESS(bits, type, load, store)                                            \
  MACHINE_UNSAFE static inline type machine_read##bits(uintptr_t address) {                \
    uint64_t value;                                                                        \
    __asm__ volatile(load "0, [%1]" : "=r"(value) : "r"(address) : "memory");              \
    return (type)value;                                                                    \
  }                                                                                        \
  MACHINE_UNSAFE static inline void machine_write##bits(uintptr_t address, type value) {   \
    __asm__ volatile(store "0, [%1]" : : "r"((uint64_t)value), "r"(address) : "memory");   \
  }

MACHINE_ACCESS(8, uint8_t, "ldrb %w", "strb %w")
MACHINE_ACCESS(16, uint16_t, "ldrh %w", "strh %w")
MACHINE_ACCESS(32, uint32_t, "ldr %w", "str %w")
MACHINE_ACCESS(64, uint64_t, "ldr %", "str %")

// `count` loads of 32 bits from `address`, in a loop of three instructions.
MACHINE_UNSAFE static inline void machine_read32_repeatedly(uintptr_t address, uint64_t count) {
  uint64_t value;
  if (count == 0) return;
  __asm__ volatile("1: ldr %w0, [%2]\n  subs %1, %1, #1\n  b.ne 1b"
                   : "=&r"(value), "+r"(count)
                   : "r"(address)
                   : "memory", "cc");
}

// A load and a store of two registers: for these the processor gives a hypervisor no syndrome.
MACHINE_UNSAFE static inline uint64_t machine_load_pair(uintptr_t address) {
  uint64_t first, second;
  __asm__ volatile("ldp %0, %1, [%2]" : "=&r"(first), "=&r"(second) : "r"(address) : "memory");
  return first ^ second;
}

MACHINE_UNSAFE static inline void machine_store_pair(uintptr_t address, uint64_t value) {
  __asm__ volatile("stp %0, %0, [%1]" : : "r"(value), "r"(address) : "memory");
}

MACHINE_UNSAFE static inline void machine_jump(uintptr_t address) {
  __asm__ volatile("blr %0" : : "r"(address) : "x30", "memory");
}

#define MACHINE_REGISTER_READ(name, encoding)            \
  static inline uint64_t machine_get_##name(void) {      \
    uint64_t value;                                      \
    __asm__ volatile("mrs %0, " encoding : "=r"(value)); \
    return value;                                        \
  }

#define MACHINE_REGISTER_WRITE(name, encoding)                                \
  MACHINE_UNSAFE static inline void machine_set_##name(uint64_t value) {      \
    __asm__ volatile("msr " encoding ", %0\n  isb" : : "r"(value) : "memory"); \
  }

MACHINE_REGISTER_READ(mpidr_el1, "mpidr_el1")
MACHINE_REGISTER_READ(cntfrq_el0, "cntfrq_el0")
MACHINE_REGISTER_READ(cntvct_el0, "cntvct_el0")
MACHINE_REGISTER_READ(cntpct_el0, "cntpct_el0")
MACHINE_REGISTER_WRITE(cntv_ctl_el0, "cntv_ctl_el0")
MACHINE_REGISTER_WRITE(cntv_tval_el0, "cntv_tval_el0")

MACHINE_REGISTER_READ(ctr_el0, "ctr_el0")

// An ID register: CRm in bits 5 to 3 of the index, op2 in bits 2 to 0; 8 to 63.
uint64_t machine_identification(uint64_t index);

// The GICv3 CPU interface, by encoding, since an assembler for plain Armv8.0 does not know the names.
MACHINE_REGISTER_READ(icc_iar1_el1, "S3_0_C12_C12_0")
MACHINE_REGISTER_WRITE(icc_eoir1_el1, "S3_0_C12_C12_1")
MACHINE_REGISTER_WRITE(icc_pmr_el1, "S3_0_C4_C6_0")
MACHINE_REGISTER_READ(icc_sre_el1, "S3_0_C12_C12_5")
MACHINE_REGISTER_WRITE(icc_sre_el1, "S3_0_C12_C12_5")
MACHINE_REGISTER_WRITE(icc_igrpen1_el1, "S3_0_C12_C12_7")
MACHINE_REGISTER_WRITE(icc_sgi1r_el1, "S3_0_C12_C11_5")
MACHINE_REGISTER_READ(icc_rpr_el1, "S3_0_C12_C11_3")

static inline void machine_synchronize(void) { __asm__ volatile("isb" ::: "memory"); }
static inline void machine_wait_for_interrupt(void) { __asm__ volatile("dsb sy\n  wfi" ::: "memory"); }
static inline void machine_wait_for_event(void) { __asm__ volatile("wfe" ::: "memory"); }
static inline void machine_send_event(void) { __asm__ volatile("dsb ish\n  sev" ::: "memory"); }
static inline void machine_unmask_interrupts(void) { __asm__ volatile("msr daifclr, #2\n  isb" ::: "memory"); }
static inline void machine_mask_interrupts(void) { __asm__ volatile("msr daifset, #2" ::: "memory"); }

struct machine_smccc_result {
  uint64_t x0, x1, x2, x3;
  // Not 0 if the call instruction itself is undefined; the others then mean nothing.
  uint64_t undefined;
};

// A call by HVC, or by SMC where `smc` is not 0.
MACHINE_UNSAFE struct machine_smccc_result machine_smccc(uint64_t smc, uint64_t function, uint64_t a1, uint64_t a2,
                                                         uint64_t a3);

// Where PSCI CPU_ON is to start a vCPU, with the vCPU's number (0...511) as the context.
void machine_secondary_start(void);

static inline uint64_t machine_secondary_start_address(void) { return (uint64_t)(uintptr_t)&machine_secondary_start; }

// What may go wrong, and under which translation of addresses it is done.
struct machine_guarded_work {
  // One of MACHINE_GUARDED_…
  uint64_t operation;
  // A call's registers, before and after. An access has its address in x0 and its value in x1; what it gave is in x0.
  uint64_t x0, x1, x2, x3, x4;
  // The registers of the translation meanwhile, where has_regime is not 0. Nothing but the instruction itself uses
  // memory then; code and vectors have to be mapped to themselves, or SCTLR_EL1.M is 0.
  uint64_t ttbr0, ttbr1, tcr, mair, sctlr;
  uint64_t has_regime;
  // Not 0 if there was an exception, with the syndrome and address of it.
  uint64_t failed, esr, far;
};

enum {
  MACHINE_GUARDED_HVC,
  MACHINE_GUARDED_SMC,
  MACHINE_GUARDED_LOAD8,
  MACHINE_GUARDED_LOAD16,
  MACHINE_GUARDED_LOAD32,
  MACHINE_GUARDED_LOAD64,
  MACHINE_GUARDED_STORE8,
  MACHINE_GUARDED_STORE16,
  MACHINE_GUARDED_STORE32,
  MACHINE_GUARDED_STORE64,
  MACHINE_GUARDED_LOAD_PAIR,
  MACHINE_GUARDED_STORE_PAIR,
  // Adds 1; gives what was there.
  MACHINE_GUARDED_INCREMENT,
  // Calls what is there, which has to return at once.
  MACHINE_GUARDED_CALL,
  // x1 bytes of x2, which has its byte eight times.
  MACHINE_GUARDED_FILL,
  // Gives how many of x1 bytes are others than x2's.
  MACHINE_GUARDED_VERIFY,
  // x2 bytes from x1 to x0.
  MACHINE_GUARDED_COPY,
};

// Interrupts are masked meanwhile.
MACHINE_UNSAFE void machine_guarded(struct machine_guarded_work *work);

// Memory for a guest that needs more than a stack: zero at first.
#define MACHINE_SCRATCH_SIZE 0x50000
extern uint8_t machine_scratch[MACHINE_SCRATCH_SIZE];

static inline uint64_t machine_scratch_address(void) { return (uint64_t)(uintptr_t)&machine_scratch; }
