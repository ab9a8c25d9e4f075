#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CSnapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Bits of the kernel's page map (Documentation/admin-guide/mm/pagemap.rst).
static const uint64_t is_present = 1ull << 63, is_swapped = 1ull << 62, is_files = 1ull << 61;

enum { ENTRIES = 8192 }; // that are read from the page map at once

// What one call writes. A file system that knows large folios touches all that is left of a call's memory once for
// each page that it copies: in memory, Linux 6.12 took 3000 instructions a page with this many bytes, and 5200 with
// 2 MiB.
enum { PIECE = 64 << 10 };

static size_t whole_size(uint64_t pages, uint64_t blocks) {
  return sizeof(struct csnapshot_image) + (pages + ENTRIES) * sizeof(uint64_t) + blocks * sizeof(uint32_t);
}

static uint64_t block_count(uint64_t size) { return (size + CSNAPSHOT_BLOCK - 1) / CSNAPSHOT_BLOCK; }

struct csnapshot_image *csnapshot_image_make(uint64_t size, uint32_t page_size) {
  const uint64_t pages = size / page_size, blocks = block_count(size);
  // Only what is used takes memory, and that is what the child writes for its parent.
  void *shared = mmap(NULL, whole_size(pages, blocks), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (shared == MAP_FAILED)
    return NULL;
  // A child may not be the first to ask how checksums are made.
  csnapshot_crc32c(0, NULL, 0);
  struct csnapshot_image *image = shared;
  image->size = size;
  image->page_size = page_size;
  image->source = -1;
  image->entries = (uint64_t *)(image + 1);
  image->runs = image->entries + ENTRIES;
  image->blocks = (uint32_t *)(image->runs + pages);
  return image;
}

void csnapshot_image_free(struct csnapshot_image *image) {
  munmap(image, whole_size(image->size / image->page_size, block_count(image->size)));
}

typedef uint64_t words __attribute__((vector_size(16), aligned(1), may_alias));

bool csnapshot_is_zero(const void *bytes, size_t count) {
  const uint8_t *next = bytes;
  for (; count >= 64; count -= 64, next += 64) {
    const words *four = (const words *)next;
    const words any = four[0] | four[1] | four[2] | four[3];
    if (any[0] | any[1])
      return false;
  }
  for (; count > 0; count--)
    if (*next++ != 0)
      return false;
  return true;
}

// Most pages that are not zero are not so at one of these places.
static bool is_zero_page(const uint8_t *page, uint32_t size) {
  uint64_t first, middle, last;
  memcpy(&first, page, sizeof first);
  memcpy(&middle, page + size / 2, sizeof middle);
  memcpy(&last, page + size - sizeof last, sizeof last);
  return (first | middle | last) == 0 && csnapshot_is_zero(page, size);
}

// Writes pages that lie in one block.
static int put_block(struct csnapshot_image *image, uint64_t offset, uint64_t count) {
  uint32_t *checksum = &image->blocks[offset / CSNAPSHOT_BLOCK];
  // The runs' order is the pages', so this is the first of its block exactly where nothing is there yet.
  if (image->has_checksums && *checksum == 0)
    *checksum = image->seed;
  image->stored += count;
  while (count > 0) {
    const uint64_t piece = count < PIECE ? count : PIECE;
    if (image->has_checksums)
      *checksum = csnapshot_crc32c(*checksum, image->base + offset, piece);
    const int error = csnapshot_write_at(image->file, image->base + offset, piece, offset);
    if (error != 0)
      return error;
    offset += piece;
    count -= piece;
  }
  return 0;
}

static int put_run(struct csnapshot_image *image, uint64_t first, uint64_t count, bool is_zero) {
  if (count == 0)
    return 0;
  image->runs[image->run_count++] = first | count << 32 | (is_zero ? CSNAPSHOT_RUN_ZERO : 0);
  if (is_zero)
    return 0;
  uint64_t offset = first * image->page_size, rest = count * image->page_size;
  while (rest > 0) {
    const uint64_t room = CSNAPSHOT_BLOCK - offset % CSNAPSHOT_BLOCK, piece = rest < room ? rest : room;
    const int error = put_block(image, offset, piece);
    if (error != 0)
      return error;
    offset += piece;
    rest -= piece;
  }
  return 0;
}

enum fate { leave, look, zero };

// Whether a page is worth a look, by what the kernel says of it and what the caller has marked.
static enum fate fate_of(enum csnapshot_pages pages, uint64_t entry, bool is_marked) {
  const bool is_there = entry & (is_present | is_swapped);
  switch (pages) {
  case csnapshot_pages_all:
    return is_there || is_marked ? look : leave;
  case csnapshot_pages_marked:
    return is_marked ? look : leave;
  default:
    if (is_there && !(entry & is_files))
      return look;
    return is_marked ? zero : leave;
  }
}

// Whether somebody still waits for what a child does.
static bool is_awaited(int leash) {
  struct pollfd end = {.fd = leash};
  return leash < 0 || poll(&end, 1, 0) == 0;
}

// The same for memory that a file in memory is: what others have written is not in this process's page map.
static void find_data(const struct csnapshot_image *image, uint64_t page, uint64_t count) {
  memset(image->entries, 0, count * sizeof *image->entries);
  const uint64_t end = (page + count) * image->page_size;
  for (uint64_t offset = page * image->page_size; offset < end;) {
    const uint64_t data = csnapshot_next_data(image->source, offset, end);
    const off_t found = data < end ? lseek(image->source, (off_t)data, SEEK_HOLE) : (off_t)end;
    const uint64_t hole = found > (off_t)data && (uint64_t)found < end ? (uint64_t)found : end;
    for (uint64_t index = data / image->page_size; index * image->page_size < hole; index++)
      image->entries[index - page] = is_present;
    offset = hole;
  }
}

static int read_entries(const struct csnapshot_image *image, int map, uint64_t page, uint64_t count) {
  if (image->source >= 0) {
    find_data(image, page, count);
    return 0;
  }
  if (image->pages == csnapshot_pages_marked)
    return 0;
  if (map < 0) {
    // Nobody says which pages there are: all are looked at that may be.
    memset(image->entries, image->pages == csnapshot_pages_all ? 0xFF : 0, count * sizeof *image->entries);
    return 0;
  }
  const uint64_t first = (uintptr_t)image->base / image->page_size + page;
  return csnapshot_read_at(map, image->entries, count * sizeof *image->entries, first * sizeof *image->entries);
}

static int write_pages(struct csnapshot_image *image, int map, int leash) {
  const uint64_t pages = image->size / image->page_size;
  uint64_t start = 0, count = 0;
  bool is_zero = false;
  for (uint64_t first = 0; first < pages; first += ENTRIES) {
    const uint64_t here = pages - first < ENTRIES ? pages - first : ENTRIES;
    int error = read_entries(image, map, first, here);
    if (error == 0 && !is_awaited(leash))
      error = -ECANCELED;
    if (error != 0)
      return error;
    for (uint64_t page = first; page < first + here; page++) {
      const uint64_t marks = image->marks ? image->marks[page / 64] : 0;
      // Where few pages have changed, finding them is not to take longer than writing them.
      if (image->pages == csnapshot_pages_marked && marks == 0 && page % 64 == 0) {
        page += 63;
        continue;
      }
      const bool is_marked = marks >> page % 64 & 1;
      enum fate fate = fate_of(image->pages, image->entries[page - first], is_marked);
      if (fate == leave)
        continue;
      if (fate == look && is_zero_page(image->base + page * image->page_size, image->page_size))
        fate = zero;
      // In the file of all pages a page that is zero is like one that is not there.
      if (fate == zero && image->pages == csnapshot_pages_all)
        continue;
      if (count > 0 && start + count == page && is_zero == (fate == zero)) {
        count++;
        continue;
      }
      error = put_run(image, start, count, is_zero);
      if (error != 0)
        return error;
      start = page;
      count = 1;
      is_zero = fate == zero;
    }
  }
  return put_run(image, start, count, is_zero);
}

// A process that hides its memory may not open its own map, unless it is root's. A child may show itself for that
// moment: what it has goes into a file of this user's.
static int open_map(bool is_child) {
  int map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (map < 0 && errno == EACCES && is_child && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0) {
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  }
  return map;
}

static int write_image(struct csnapshot_image *image, int leash) {
  image->stored = image->run_count = 0;
  int map = -1, error = 0;
  if (image->pages != csnapshot_pages_marked && image->source < 0) {
    map = open_map(leash >= 0);
    // Without it only those pages can be told apart that are not zero.
    if (map < 0 && image->pages == csnapshot_pages_private)
      error = -errno;
  }
  if (error == 0)
    error = ftruncate(image->file, (off_t)image->size) == 0 ? 0 : -errno;
  if (error == 0)
    error = write_pages(image, map, leash);
  if (map >= 0)
    close(map);
  image->error = error;
  return error;
}

int csnapshot_image_write(struct csnapshot_image *image) { return write_image(image, -1); }

// Closes all descriptors but those of the images and one more, so that no lock, socket or pipe of the parent's lives on
// in the child. The numbers are looked for one after the other: there are few.
static void close_others(struct csnapshot_image *const *images, int count, int pipe) {
  unsigned next = 0;
  for (;;) {
    int kept = pipe >= (int)next ? pipe : -1;
    for (int index = 0; index < count; index++)
      if (images[index]->file >= (int)next && (kept < 0 || images[index]->file < kept))
        kept = images[index]->file;
    if (kept < 0)
      break;
    if (kept > (int)next)
      syscall(SYS_close_range, next, (unsigned)kept - 1, 0);
    next = (unsigned)kept + 1;
  }
  syscall(SYS_close_range, next, ~0u, 0);
}

// What the parent does about signals is not the child's to do: its handlers put the terminal back, say.
static void reset_signals(void) {
  struct sigaction action = {.sa_handler = SIG_DFL};
  for (int signal = 1; signal < NSIG; signal++)
    sigaction(signal, &action, NULL);
  // What these say an error number says, too.
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, NULL);
  sigaction(SIGXFSZ, &action, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

// In the child, where nothing but what a signal's handler may call is allowed.
static _Noreturn void write_and_end(struct csnapshot_image *const *images, int count, int pipe) {
  // The parent has a machine to let go on: it goes first where there is one processor for both.
  sched_yield();
  reset_signals();
  close_others(images, count, pipe);
  for (int index = 0; index < count; index++) {
    if (write_image(images[index], pipe) != 0)
      break;
    // Here it keeps nobody waiting.
    images[index]->error = csnapshot_flush(images[index]->file);
  }
  // The parent may have gone by now, which is no reason to stay.
  const ssize_t written = write(pipe, "", 1);
  (void)written;
  _exit(0);
}

int csnapshot_images_write_in_child(struct csnapshot_image *const *images, int count, int *process) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return -errno;
  for (int index = 0; index < count; index++)
    images[index]->error = -ECHILD;
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &previous);
  const pid_t child = fork();
  if (child == 0)
    write_and_end(images, count, ends[1]);
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &previous, NULL);
  close(ends[1]);
  if (child < 0) {
    close(ends[0]);
    return -error;
  }
  *process = child;
  return ends[0];
}

int csnapshot_child_end(int descriptor, int process) {
  char byte;
  ssize_t count;
  do
    count = read(descriptor, &byte, 1);
  while (count < 0 && errno == EINTR);
  close(descriptor);
  while (waitpid(process, NULL, 0) < 0 && errno == EINTR)
    ;
  return count == 1 ? 0 : -ECHILD;
}
