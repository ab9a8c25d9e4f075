// A program for the initramfs that writes files and checks them: every 8 bytes are a function of a seed and of their
// place, so a block that is stale, torn, zero or somebody else's is told apart from the right one. Blocks are written
// and read in an order that jumps about. It needs no C library.
//
//     disk-check write|verify direct|small|map|plain FILE MIB SEED
//
// direct: O_DIRECT, 64 KiB at a time; small: the same with 4 KiB; map: a shared mapping; plain: through the page cache.
// A write ends with fsync (msync for a mapping). Status 0: all is right; else it says what went wrong at which offset.

#include <asm/unistd.h>
#include <linux/fcntl.h>

#define PROT_READ_WRITE 3
#define MAP_SHARED 1
#define MS_SYNC 4

typedef unsigned long number;

enum { largest_block = 65536, smallest_block = 4096 };

static number words[largest_block / sizeof(number)] __attribute__((aligned(4096)));
static long block_size = largest_block;

static long call(long name, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = name;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}

static void print(const char *text) {
  number length = 0;
  while (text[length] != 0)
    length++;
  call(__NR_write, 1, (long)text, (long)length, 0, 0, 0);
}

static void print_number(number value) {
  char digits[21];
  int place = 20;
  digits[place] = 0;
  do
    digits[--place] = (char)('0' + value % 10);
  while ((value /= 10) != 0);
  print(digits + place);
}

static void end(int status) {
  for (;;)
    call(__NR_exit_group, status, 0, 0, 0, 0, 0);
}

static void fail(const char *what, number offset, long result) {
  print("disk-check: ");
  print(what);
  print(" at ");
  print_number(offset);
  if (result < 0) {
    print(": errno ");
    print_number((number)-result);
  }
  print("\n");
  end(1);
}

static number parse(const char *text) {
  number value = 0;
  for (; *text >= '0' && *text <= '9'; text++)
    value = value * 10 + (number)(*text - '0');
  return value;
}

// SplitMix64's mixing of seed and place.
static number content(number seed, number offset) {
  number value = (seed << 40) + offset / sizeof(number) * 0x9E3779B97F4A7C15;
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
  value = (value ^ value >> 27) * 0x94D049BB133111EB;
  return value ^ value >> 31;
}

static void fill(number *block, number seed, number offset) {
  for (number index = 0; index < (number)block_size / sizeof(number); index++)
    block[index] = content(seed, offset + index * sizeof(number));
}

static void check(const number *block, number seed, number offset) {
  for (number index = 0; index < (number)block_size / sizeof(number); index++)
    if (block[index] != content(seed, offset + index * sizeof(number)))
      fail("wrong content", offset + index * sizeof(number), 0);
}

static int is(const char *text, char first) { return text[0] == first; }

__attribute__((used)) void begin(number *stack) {
  char **arguments = (char **)(stack + 1);
  if (stack[0] != 6) {
    print("usage: disk-check write|verify direct|small|map|plain FILE MIB SEED\n");
    end(2);
  }
  int writes = is(arguments[1], 'w');
  int maps = is(arguments[2], 'm');
  int is_small = is(arguments[2], 's');
  if (is_small)
    block_size = smallest_block;
  number count = parse(arguments[4]) * (1048576 / (number)block_size);
  number seed = parse(arguments[5]);
  long flags = (writes ? O_RDWR | O_CREAT : O_RDONLY) | (is(arguments[2], 'd') || is_small ? O_DIRECT : 0);
  long file = call(__NR_openat, AT_FDCWD, (long)arguments[3], flags, 0644, 0, 0);
  if (file < 0)
    fail("open", 0, file);
  number size = count * (number)block_size;
  number *mapping = 0;
  if (maps) {
    long result = writes ? call(__NR_ftruncate, file, (long)size, 0, 0, 0, 0) : 0;
    if (result < 0)
      fail("ftruncate", size, result);
    result = call(__NR_mmap, 0, (long)size, writes ? PROT_READ_WRITE : 1, MAP_SHARED, file, 0);
    if (result < 0 && result > -4096)
      fail("mmap", size, result);
    mapping = (number *)result;
  }
  // An odd step visits each block of a power of two once; of other counts, those that are too high are passed over.
  number power = 1;
  while (power < count)
    power *= 2;
  for (number step = 0; step < power; step++) {
    number index = (step * 0x9E3779B1 + seed) & (power - 1);
    if (index >= count)
      continue;
    number offset = index * (number)block_size;
    number *block = maps ? mapping + offset / sizeof(number) : words;
    if (writes) {
      fill(block, seed, offset);
      long result = maps ? block_size : call(__NR_pwrite64, file, (long)block, block_size, (long)offset, 0, 0);
      if (result != block_size)
        fail("write", offset, result);
    } else {
      long result = maps ? block_size : call(__NR_pread64, file, (long)block, block_size, (long)offset, 0, 0);
      if (result != block_size)
        fail("read", offset, result);
      check(block, seed, offset);
    }
  }
  if (writes) {
    long result = maps ? call(__NR_msync, (long)mapping, (long)size, MS_SYNC, 0, 0, 0) : 0;
    if (result == 0)
      result = call(__NR_fsync, file, 0, 0, 0, 0, 0);
    if (result < 0)
      fail("fsync", 0, result);
  }
  print(writes ? "written " : "verified ");
  print(arguments[2]);
  print(" ");
  print_number(size);
  print("\n");
  end(0);
}

__asm__(".globl _start\n_start:\n  mov x0, sp\n  b begin\n");
