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
#endif

_Static_assert(offsetof(struct kvm_run, mmio) == 32, "the exit's data stands 32 bytes into kvm_run");
