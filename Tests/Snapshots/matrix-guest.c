// What a guest does while it is frozen on one kernel and thawed on another: it keeps values in every kind of register
// that a program has, and tells whether they are there still. It says "ready", waits for a line, says "whole" or what
// is wrong, and ends with status 0 or 1.

#define _GNU_SOURCE
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MEMORY = 16 << 20, SPINS = 1000000, MAX_CPUS = 16, VECTOR_BYTES = 32 * 256, PREDICATE_BYTES = 17 * 32 };
enum { SECONDS_OF_A_THAW = 120 };

static volatile sig_atomic_t is_over;
static int failures;

static void end(int number)
{
    (void)number;
    is_over = 1;
}

static void wrong(const char *what)
{
    printf("wrong: %s\n", what);
    failures++;
}

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void fill(void *memory, size_t bytes, uint64_t seed)
{
    for (size_t i = 0; i < bytes / 8; i++)
        ((uint64_t *)memory)[i] = next(&seed);
}

#define FOR_16(WHAT) WHAT(0) WHAT(1) WHAT(2) WHAT(3) WHAT(4) WHAT(5) WHAT(6) WHAT(7) WHAT(8) WHAT(9) WHAT(10) \
    WHAT(11) WHAT(12) WHAT(13) WHAT(14) WHAT(15)
#define FOR_32(WHAT) FOR_16(WHAT) WHAT(16) WHAT(17) WHAT(18) WHAT(19) WHAT(20) WHAT(21) WHAT(22) WHAT(23) WHAT(24) \
    WHAT(25) WHAT(26) WHAT(27) WHAT(28) WHAT(29) WHAT(30) WHAT(31)
#define NAME_V(N) "v" #N,
#define LOAD_Q(N) "ldr q" #N ", [%[in], #(16 * " #N ")]\n"
#define STORE_Q(N) "str q" #N ", [%[out], #(16 * " #N ")]\n"
#define LOAD_Z(N) "ldr z" #N ", [%[in], #" #N ", mul vl]\n"
#define STORE_Z(N) "str z" #N ", [%[out], #" #N ", mul vl]\n"
#define LOAD_P(N) "ldr p" #N ", [%[pin], #" #N ", mul vl]\n"
#define STORE_P(N) "str p" #N ", [%[pout], #" #N ", mul vl]\n"
#define ALL_V FOR_32(NAME_V) "memory", "cc"

// Without a system call in between, which would let the kernel forget what is beyond 128 bits.
static void hold_vectors(const void *in, void *out)
{
    uint64_t count = SPINS;
    __asm__ volatile(FOR_32(LOAD_Q) "1: subs %[count], %[count], #1\n b.ne 1b\n" FOR_32(STORE_Q)
                     : [count] "+r"(count)
                     : [in] "r"(in), [out] "r"(out)
                     : ALL_V);
}

// With the first-fault register set, which is the 17th of the predicates here.
static void hold_scalable_vectors(const void *in, void *out, const void *pin, void *pout)
{
    uint64_t count = SPINS;
    __asm__ volatile(".arch_extension sve\n setffr\n" FOR_32(LOAD_Z) FOR_16(LOAD_P)
                     "1: subs %[count], %[count], #1\n b.ne 1b\n" FOR_32(STORE_Z) FOR_16(STORE_P)
                     "rdffr p0.b\n str p0, [%[pout], #16, mul vl]\n .arch_extension nosve\n"
                     : [count] "+r"(count)
                     : [in] "r"(in), [out] "r"(out), [pin] "r"(pin), [pout] "r"(pout)
                     : ALL_V);
}

// Signs a pointer with the process's key: a processor that cannot leaves it as it is.
static uint64_t sign(uint64_t pointer)
{
    register uint64_t value __asm__("x17") = pointer;
    register uint64_t modifier __asm__("x16") = 42;
    __asm__ volatile("hint #8" : "+r"(value) : "r"(modifier));
    return value;
}

static unsigned scalable_bytes(void)
{
    uint64_t bytes = 0;
    if (getauxval(AT_HWCAP) & HWCAP_SVE)
        __asm__ volatile(".arch_extension sve\n rdvl %0, #1\n .arch_extension nosve" : "=r"(bytes));
    return (unsigned)bytes;
}

// A process that ends with status 1 as soon as something is not as it was, and with 0 when it is told to end.
static pid_t start_worker(int number)
{
    pid_t worker = fork();
    if (worker != 0)
        return worker;
    static _Alignas(16) unsigned char in[VECTOR_BYTES], out[VECTOR_BYTES], pin[PREDICATE_BYTES], pout[PREDICATE_BYTES];
    unsigned bytes = scalable_bytes();
    uint64_t signature = sign((uint64_t)(uintptr_t)in), control = (uint64_t)(number & 3) << 22, seen;
    fill(in, sizeof in, (uint64_t)number + 1);
    fill(pin, sizeof pin, (uint64_t)number + 100);
    // The first-fault register.
    memset(pin + 16 * bytes / 8, 0xff, bytes / 8);
    __asm__ volatile("msr fpcr, %0" : : "r"(control));
    while (!is_over) {
        memset(out, 0, sizeof out);
        memset(pout, 0, sizeof pout);
        if (bytes > 0)
            hold_scalable_vectors(in, out, pin, pout);
        else
            hold_vectors(in, out);
        if (memcmp(in, out, bytes > 0 ? 32 * bytes : 512) != 0 || memcmp(pin, pout, 17 * bytes / 8) != 0)
            _exit(1);
        __asm__ volatile("mrs %0, fpcr" : "=r"(seen));
        if (seen != control || sign((uint64_t)(uintptr_t)in) != signature)
            _exit(2);
    }
    _exit(0);
}

// What a program may know of its processor: the kernel shows it the ID registers' fields that are for programs.
struct processor {
    uint64_t capabilities[2], registers[6], frequency, vector_bytes;
};

static struct processor look_at_processor(void)
{
    struct processor seen = {.capabilities = {getauxval(AT_HWCAP), getauxval(AT_HWCAP2)}};
    seen.vector_bytes = scalable_bytes();
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(seen.frequency));
    if (seen.capabilities[0] & HWCAP_CPUID) {
        __asm__ volatile("mrs %0, midr_el1" : "=r"(seen.registers[0]));
        __asm__ volatile("mrs %0, id_aa64pfr0_el1" : "=r"(seen.registers[1]));
        __asm__ volatile("mrs %0, id_aa64isar0_el1" : "=r"(seen.registers[2]));
        __asm__ volatile("mrs %0, id_aa64isar1_el1" : "=r"(seen.registers[3]));
        __asm__ volatile("mrs %0, id_aa64mmfr0_el1" : "=r"(seen.registers[4]));
        __asm__ volatile("mrs %0, id_aa64mmfr1_el1" : "=r"(seen.registers[5]));
    }
    return seen;
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int count_cycles(void)
{
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_HARDWARE,
        .size = sizeof attributes,
        .config = PERF_COUNT_HW_CPU_CYCLES,
    };
    return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

static uint64_t read_count(int counter)
{
    uint64_t count = 0;
    return read(counter, &count, sizeof count) == sizeof count ? count : 0;
}

// A timer's interrupt arrives on each processor.
static void sleep_on_each(int cpus)
{
    for (int cpu = 0; cpu < cpus; cpu++) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        if (sched_setaffinity(0, sizeof one, &one) != 0)
            wrong("a processor is gone");
        usleep(50000);
    }
}

static void look_at_log(void)
{
    static const char *const bad[] = {"WARNING:", "BUG:", "Call trace", "rcu: INFO", "Unhandled", "soft lockup"};
    static char log[1 << 18];
    int count = klogctl(3, log, sizeof log - 1);
    log[count > 0 ? count : 0] = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *place = strstr(log, bad[i]);
        if (place == NULL)
            continue;
        place[strcspn(place, "\n")] = 0;
        wrong(place);
        return;
    }
}

int main(void)
{
    int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
    pid_t workers[MAX_CPUS];
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGTERM, end);
    uint64_t *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fill(memory, MEMORY, 7);
    for (int i = 0; i < cpus && i < MAX_CPUS; i++)
        workers[i] = start_worker(i);
    int counter = count_cycles();
    struct processor before = look_at_processor();
    // Workers are under way.
    usleep(200000);
    double begun = seconds(CLOCK_MONOTONIC);
    uint64_t counted = read_count(counter);
    puts("ready");

    char line[80];
    if (fgets(line, sizeof line, stdin) == NULL)
        wrong("the console has no input");

    struct processor after = look_at_processor();
    double took = seconds(CLOCK_MONOTONIC) - begun;
    if (took < 0 || took > SECONDS_OF_A_THAW)
        wrong("the clock jumped");
    if (memcmp(&before, &after, sizeof before) != 0)
        wrong("the processor is another");
    if (counter >= 0 && read_count(counter) <= counted)
        wrong("the counter of cycles stands");
    uint64_t state = 7;
    for (size_t i = 0; i < MEMORY / 8; i++) {
        if (memory[i] != next(&state)) {
            wrong("memory is not as it was");
            break;
        }
    }
    sleep_on_each(cpus);
    for (int i = 0; i < cpus && i < MAX_CPUS; i++) {
        int status;
        kill(workers[i], SIGTERM);
        if (waitpid(workers[i], &status, 0) != workers[i] || status != 0)
            wrong("a worker's registers are not as they were");
    }
    look_at_log();
    if (failures == 0)
        printf("whole: %d CPUs, vectors of %u bytes, %s counter of cycles, %.2f s since the first line\n", cpus,
               scalable_bytes() ? scalable_bytes() : 16, counter >= 0 ? "a" : "no", took);
    return failures != 0;
}
