// What the test of the emulated host asks from inside:
//
//     probe kvm      that KVM works: its API version, a machine, and which interrupt controllers it can make
//     probe count    the instructions of a fixed piece of work: in user mode, and in all
//     probe streams  which of its standard streams are terminals, and the terminal's size

#include <linux/kvm.h>
#include <linux/perf_event.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int probe_kvm(void)
{
    int kvm = open("/dev/kvm", O_RDWR);
    if (kvm < 0) {
        perror("/dev/kvm");
        return 1;
    }
    int machine = ioctl(kvm, KVM_CREATE_VM, 0);
    struct kvm_create_device v2 = {.type = KVM_DEV_TYPE_ARM_VGIC_V2, .flags = KVM_CREATE_DEVICE_TEST};
    struct kvm_create_device v3 = {.type = KVM_DEV_TYPE_ARM_VGIC_V3, .flags = KVM_CREATE_DEVICE_TEST};
    printf("api %d machine %d gic2 %d gic3 %d\n", ioctl(kvm, KVM_GET_API_VERSION, 0), machine >= 0,
           ioctl(machine, KVM_CREATE_DEVICE, &v2) == 0, ioctl(machine, KVM_CREATE_DEVICE, &v3) == 0);
    return 0;
}

static int instruction_counter(int user_only)
{
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_HARDWARE,
        .size = sizeof attributes,
        .config = PERF_COUNT_HW_INSTRUCTIONS,
        .exclude_kernel = user_only,
        .exclude_hv = user_only,
    };
    return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

static int probe_count(void)
{
    int user = instruction_counter(1), all = instruction_counter(0);
    if (user < 0 || all < 0) {
        perror("perf_event_open");
        return 1;
    }
    uint64_t before[2], after[2];
    volatile uint64_t sum = 0;
    if (read(user, &before[0], 8) != 8 || read(all, &before[1], 8) != 8)
        return 1;
    for (int i = 0; i < 100000; i++)
        sum += (uint64_t)getppid();
    if (read(user, &after[0], 8) != 8 || read(all, &after[1], 8) != 8)
        return 1;
    printf("%llu %llu\n", (unsigned long long)(after[0] - before[0]), (unsigned long long)(after[1] - before[1]));
    return 0;
}

static int probe_streams(void)
{
    struct winsize size = {0};
    ioctl(0, TIOCGWINSZ, &size);
    printf("%d%d%d %d %d\n", isatty(0), isatty(1), isatty(2), size.ws_row, size.ws_col);
    return 0;
}

int main(int count, char **arguments)
{
    const char *what = count > 1 ? arguments[1] : "";
    if (strcmp(what, "kvm") == 0)
        return probe_kvm();
    if (strcmp(what, "count") == 0)
        return probe_count();
    if (strcmp(what, "streams") == 0)
        return probe_streams();
    return 2;
}
