// Prints what KVM on this host lists of a vCPU that has all features which it can have here, with one line for each:
//
//     KERNEL RELEASE                     what `uname -r` says
//     cap NUMBER = VALUE                 of capabilities that snapshots and CPU models ask for
//     features MASK                      what the vCPU was made with
//     reg ID = VALUE                     a register of at most 8 bytes, in hexadecimal
//     reg ID size BYTES                  a longer one
//     wmask ok, or an error's name       whether KVM says which bits of the ID registers can be written
//     wmask op1 N crm N op2 N = MASK     which bits can be

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>

// By number: a compiler's headers may be older than the newest of them.
static const int capabilities[] = {58,  102, 126, 131, 165, 168, 170, 171, 172, 177, 178, 192, 193, 203, 205,
                                   206, 208, 216, 219, 223, 225, 227, 229, 230, 236, 238, 239, 240, 243};
static const int feature_capabilities[][2] = {
    {KVM_ARM_VCPU_PMU_V3, KVM_CAP_ARM_PMU_V3},
    {KVM_ARM_VCPU_SVE, KVM_CAP_ARM_SVE},
    {KVM_ARM_VCPU_PTRAUTH_ADDRESS, KVM_CAP_ARM_PTRAUTH_ADDRESS},
    {KVM_ARM_VCPU_PTRAUTH_GENERIC, KVM_CAP_ARM_PTRAUTH_GENERIC},
};

static int check(int result, const char *what)
{
    if (result < 0) {
        perror(what);
        exit(1);
    }
    return result;
}

static int make_vcpu(int machine)
{
    struct kvm_vcpu_init init;
    check(ioctl(machine, KVM_ARM_PREFERRED_TARGET, &init), "KVM_ARM_PREFERRED_TARGET");
    init.features[0] = 1u << KVM_ARM_VCPU_PSCI_0_2;
    for (size_t i = 0; i < sizeof feature_capabilities / sizeof feature_capabilities[0]; i++)
        if (ioctl(machine, KVM_CHECK_EXTENSION, feature_capabilities[i][1]) > 0)
            init.features[0] |= 1u << feature_capabilities[i][0];
    printf("features %x\n", init.features[0]);
    int vcpu = check(ioctl(machine, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
    check(ioctl(vcpu, KVM_ARM_VCPU_INIT, &init), "KVM_ARM_VCPU_INIT");
    if (init.features[0] & 1u << KVM_ARM_VCPU_SVE) {
        int feature = KVM_ARM_VCPU_SVE;
        check(ioctl(vcpu, KVM_ARM_VCPU_FINALIZE, &feature), "KVM_ARM_VCPU_FINALIZE");
    }
    return vcpu;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static void print_registers(int vcpu)
{
    struct kvm_reg_list count = {0};
    if (ioctl(vcpu, KVM_GET_REG_LIST, &count) == 0 || errno != E2BIG)
        check(-1, "KVM_GET_REG_LIST");
    struct kvm_reg_list *list = malloc(sizeof count + count.n * sizeof list->reg[0]);
    list->n = count.n;
    check(ioctl(vcpu, KVM_GET_REG_LIST, list), "KVM_GET_REG_LIST");
    qsort(list->reg, list->n, sizeof list->reg[0], compare);
    for (uint64_t i = 0; i < list->n; i++) {
        uint64_t id = list->reg[i];
        unsigned size = 1u << ((id & KVM_REG_SIZE_MASK) >> KVM_REG_SIZE_SHIFT);
        unsigned char bytes[256] = {0};
        uint64_t value;
        struct kvm_one_reg one = {.id = id, .addr = (uint64_t)(uintptr_t)bytes};
        check(ioctl(vcpu, KVM_GET_ONE_REG, &one), "KVM_GET_ONE_REG");
        memcpy(&value, bytes, sizeof value);
        if (size <= sizeof value)
            printf("reg %016llx = %llx\n", (unsigned long long)id, (unsigned long long)value);
        else
            printf("reg %016llx size %u\n", (unsigned long long)id, size);
    }
}

// Of the range with op0 3 and crn 0, KVM has a mask for each register: 8 op1 (of which 0, 1 and 3 count), 8 crm, 8 op2.
static void print_writable_masks(int machine)
{
    enum { OP1S = 3, PLACES = OP1S * 64 };
    static const int op1s[OP1S] = {0, 1, 3};
    uint64_t masks[PLACES] = {0};
    struct {
        uint64_t address;
        uint32_t range;
        uint32_t reserved[13];
    } query = {.address = (uint64_t)(uintptr_t)masks};
    if (ioctl(machine, _IOR(KVMIO, 0xb6, query), &query) != 0) {
        printf("wmask %s\n", strerrorname_np(errno));
        return;
    }
    puts("wmask ok");
    for (int i = 0; i < PLACES; i++)
        if (masks[i] != 0)
            printf("wmask op1 %d crm %d op2 %d = %llx\n", op1s[i / 64], i / 8 % 8, i % 8, (unsigned long long)masks[i]);
}

int main(void)
{
    struct utsname name;
    uname(&name);
    printf("KERNEL %s\n", name.release);
    int kvm = check(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
    int bits = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_ARM_VM_IPA_SIZE);
    int machine = check(ioctl(kvm, KVM_CREATE_VM, bits > 0 ? bits : 0), "KVM_CREATE_VM");
    for (size_t i = 0; i < sizeof capabilities / sizeof capabilities[0]; i++)
        printf("cap %d = %d\n", capabilities[i], ioctl(machine, KVM_CHECK_EXTENSION, capabilities[i]));
    int vcpu = make_vcpu(machine);
    print_registers(vcpu);
    print_writable_masks(machine);
    return 0;
}
