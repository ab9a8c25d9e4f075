// A plugin for QEMU (docs/devel/tcg-plugins.rst) that writes down which addresses of a program are executed, read or
// written, each once and in the order of the first time:
//
//     -plugin file=trace.so,output=PATH,marker=A,enter=B,entered=C,vectors=D,end=E
//
//     marker           executing this address begins the notes, and ends them: the program that runs between does not
//                      have it
//     enter, entered   from where to where the host's kernel has the instruction that enters a guest
//     vectors, end     where it comes back
//
// The output has a 32-bit number for each address. Nothing of QEMU's headers is needed; what is declared here is
// version 1 of the interface.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t plugin;
void qemu_plugin_register_vcpu_tb_trans_cb(plugin, void (*)(plugin, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int flags, void *);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, void (*)(unsigned, uint32_t, uint64_t, void *), int flags,
                                      int kinds, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

// Where a static program is, by the linker's default, and much more.
enum { PROGRAM_START = 0x200000, PROGRAM_END = 0x4000000 };
static const uint32_t ERET = 0xd69f03e0;

struct block {
  uint64_t address;
  uint32_t last;
};

static uint64_t marker, enter, entered, vectors, end;
static const char *output;
static bool notes, in_guest;
static uint8_t seen[PROGRAM_END];
static uint32_t order[PROGRAM_END / 4];
static size_t count;

static void note(uint64_t address) {
  if (!notes || in_guest || address < PROGRAM_START || address >= PROGRAM_END || seen[address])
    return;
  seen[address] = 1;
  if (count < sizeof order / sizeof *order)
    order[count++] = (uint32_t)address;
}

static void write_down(void) {
  FILE *file = fopen(output, "w");
  if (!file || fwrite(order, sizeof *order, count, file) != count || fclose(file))
    perror(output);
}

static void executed(unsigned processor, void *context) {
  (void)processor;
  const struct block *block = context;
  if (in_guest) {
    if (block->address < vectors || block->address >= end)
      return;
    in_guest = false;
  }
  if (block->address == marker) {
    notes = !notes;
    if (!notes)
      write_down();
  }
  note(block->address);
  in_guest = block->address >= enter && block->address < entered && block->last == ERET;
}

static void accessed(unsigned processor, uint32_t information, uint64_t address, void *context) {
  (void)processor, (void)information, (void)context;
  note(address & ~(uint64_t)7);
}

static void translated(plugin plugin, struct qemu_plugin_tb *code) {
  (void)plugin;
  struct block *block = malloc(sizeof *block);
  const size_t size = qemu_plugin_tb_n_insns(code);
  block->address = qemu_plugin_tb_vaddr(code);
  memcpy(&block->last, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(code, size - 1)), sizeof block->last);
  if (block->address < PROGRAM_END)
    for (size_t index = 0; index < size; index++)
      qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(code, index), accessed, 0, 3, NULL);
  qemu_plugin_register_vcpu_tb_exec_cb(code, executed, 0, block);
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin plugin, const void *information, int argc,
                                                               char **argv) {
  (void)information;
  const struct {
    const char *name;
    uint64_t *value;
  } numbers[] = {{"marker=", &marker}, {"enter=", &enter}, {"entered=", &entered}, {"vectors=", &vectors}, {"end=", &end}};
  for (int argument = 0; argument < argc; argument++) {
    if (strncmp(argv[argument], "output=", 7) == 0)
      output = strdup(argv[argument] + 7);
    for (size_t index = 0; index < sizeof numbers / sizeof *numbers; index++) {
      const size_t length = strlen(numbers[index].name);
      if (strncmp(argv[argument], numbers[index].name, length) == 0)
        *numbers[index].value = strtoull(argv[argument] + length, NULL, 16);
    }
  }
  if (!output)
    return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(plugin, translated);
  return 0;
}
