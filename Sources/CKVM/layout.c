#include "CKVM.h"

#include <stddef.h>

#if defined(__aarch64__)
_Static_assert(sizeof(struct ckvm_vcpu_init) == sizeof(struct kvm_vcpu_init), "layout of kvm_vcpu_init");
_Static_assert(offsetof(struct ckvm_vcpu_init, features) == offsetof(struct kvm_vcpu_init, features),
               "layout of kvm_vcpu_init");
_Static_assert(_IOW(KVMIO, 0xae, struct ckvm_vcpu_init) == KVM_ARM_VCPU_INIT, "number of KVM_ARM_VCPU_INIT");
_Static_assert(_IOR(KVMIO, 0xaf, struct ckvm_vcpu_init) == KVM_ARM_PREFERRED_TARGET,
               "number of KVM_ARM_PREFERRED_TARGET");
_Static_assert(_IOW(KVMIO, 0xc2, int) == KVM_ARM_VCPU_FINALIZE, "number of KVM_ARM_VCPU_FINALIZE");
_Static_assert(KVM_ARM_VCPU_POWER_OFF == 0 && KVM_ARM_VCPU_PSCI_0_2 == 2 && KVM_ARM_VCPU_PMU_V3 == 3 &&
                   KVM_ARM_VCPU_SVE == 4 && KVM_ARM_VCPU_PTRAUTH_ADDRESS == 5 && KVM_ARM_VCPU_PTRAUTH_GENERIC == 6,
               "numbers of the vCPU features");
_Static_assert(offsetof(struct kvm_regs, regs.pc) == 256 && offsetof(struct kvm_regs, sp_el1) == 272,
               "places of the core registers");
_Static_assert(offsetof(struct kvm_regs, spsr) == 288 && offsetof(struct kvm_regs, fp_regs) == 336 &&
                   offsetof(struct kvm_regs, fp_regs.fpsr) == 848 && offsetof(struct kvm_regs, fp_regs.fpcr) == 852,
               "places of the saved state and of the vector registers");
_Static_assert(sizeof(struct ckvm_guest_debug) == sizeof(struct kvm_guest_debug) &&
                   offsetof(struct ckvm_guest_debug, breakpoint_control) == offsetof(struct kvm_guest_debug, arch) &&
                   offsetof(struct ckvm_guest_debug, breakpoint_value) ==
                       offsetof(struct kvm_guest_debug, arch.dbg_bvr) &&
                   offsetof(struct ckvm_guest_debug, watchpoint_control) ==
                       offsetof(struct kvm_guest_debug, arch.dbg_wcr) &&
                   CKVM_DEBUG_REGISTERS == KVM_ARM_MAX_DBG_REGS,
               "layout of kvm_guest_debug");
_Static_assert(_IOW(KVMIO, 0x9b, struct ckvm_guest_debug) == KVM_SET_GUEST_DEBUG, "number of KVM_SET_GUEST_DEBUG");
_Static_assert(CKVM_GUESTDBG_USE_SW_BP == KVM_GUESTDBG_USE_SW_BP && CKVM_GUESTDBG_USE_HW == KVM_GUESTDBG_USE_HW,
               "bits of kvm_guest_debug");
_Static_assert(sizeof(struct ckvm_debug_exit) == sizeof(struct kvm_debug_exit_arch) &&
                   offsetof(struct ckvm_debug_exit, fault_address) == offsetof(struct kvm_debug_exit_arch, far),
               "layout of kvm_debug_exit_arch");
_Static_assert(sizeof(struct ckvm_vcpu_events) == sizeof(struct kvm_vcpu_events) &&
                   offsetof(struct ckvm_vcpu_events, serror_esr) ==
                       offsetof(struct kvm_vcpu_events, exception.serror_esr) &&
                   offsetof(struct ckvm_vcpu_events, ext_dabt_pending) ==
                       offsetof(struct kvm_vcpu_events, exception.ext_dabt_pending),
               "layout of kvm_vcpu_events");
_Static_assert(_IOR(KVMIO, 0x9f, struct ckvm_vcpu_events) == KVM_GET_VCPU_EVENTS &&
                   _IOW(KVMIO, 0xa0, struct ckvm_vcpu_events) == KVM_SET_VCPU_EVENTS,
               "numbers of the vCPU's events");
#ifdef KVM_ARM_GET_REG_WRITABLE_MASKS
_Static_assert(sizeof(struct ckvm_reg_mask_range) == sizeof(struct reg_mask_range) &&
                   CKVM_ID_REGISTER_COUNT == KVM_ARM_FEATURE_ID_RANGE_SIZE &&
                   _IOR(KVMIO, 0xb6, struct ckvm_reg_mask_range) == KVM_ARM_GET_REG_WRITABLE_MASKS,
               "layout of reg_mask_range");
#endif
#endif

_Static_assert(offsetof(struct kvm_run, mmio) == 32, "the exit's data stands 32 bytes into kvm_run");
_Static_assert(offsetof(struct kvm_run, debug) == offsetof(struct kvm_run, mmio), "the exits' data is a union");
_Static_assert(CKVM_GUESTDBG_ENABLE == KVM_GUESTDBG_ENABLE && CKVM_GUESTDBG_SINGLESTEP == KVM_GUESTDBG_SINGLESTEP,
               "bits of kvm_guest_debug");
