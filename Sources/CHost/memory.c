#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "memory.h"

#include <sys/random.h>
#include <sys/sysinfo.h>

#include <stdio.h>
#include <string.h>

void chost_error_text(int number, char *text, size_t size) {
  // Both forms of strerror_r exist; strerrordesc_np has one, and a text that needs no freeing.
  const char *description = strerrordesc_np(number);
  if (description)
    snprintf(text, size, "%s", description);
  else
    snprintf(text, size, "error %d", number);
}

int64_t chost_resident_size(void *base, size_t size) {
  unsigned char pages[4096];
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  int64_t resident = 0;
  for (size_t done = 0; done < size;) {
    size_t chunk = size - done < page * sizeof pages ? size - done : page * sizeof pages;
    if (mincore((char *)base + done, chunk, pages) != 0)
      return -1;
    for (size_t index = 0; index < (chunk + page - 1) / page; index++)
      resident += pages[index] & 1 ? (int64_t)page : 0;
    done += chunk;
  }
  return resident;
}

void chost_zero_private(void *start, size_t size) {
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  const uintptr_t first = (uintptr_t)start, end = first + size;
  const uintptr_t pages = (first + page - 1) & ~(page - 1), pages_end = end & ~(page - 1);
  // The kernel refuses for locked pages; then they are written like the rest.
  if (pages >= pages_end || madvise((void *)pages, pages_end - pages, MADV_DONTNEED) != 0) {
    memset(start, 0, size);
    return;
  }
  memset(start, 0, pages - first);
  memset((void *)pages_end, 0, end - pages_end);
}

int chost_replace_by_zeroes(void *start, size_t size) {
  void *base = mmap(start, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED)
    return -1;
  chost_leave_out_of_dumps(base, size);
  return 0;
}

uint64_t chost_free_memory(void) {
  struct sysinfo information;
  return sysinfo(&information) == 0 ? (uint64_t)information.freeram * information.mem_unit : 0;
}

int64_t chost_random(void *buffer, size_t size) { return getrandom(buffer, size, 0); }

// What one entry of the second-last level of page tables maps: pages of a page full of entries.
static size_t huge_page_size(void) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  return page * page / 8;
}

// A private mapping that begins where a huge page may. NULL with errno.
static void *map_private_aligned(size_t size) {
  const size_t huge = huge_page_size();
  // Kernels since 6.7 align large mappings by themselves, mostly.
  char *plain = chost_map_private(size);
  if (!plain || (uintptr_t)plain % huge == 0)
    return plain;
  munmap(plain, size);
  if (size > SIZE_MAX - huge) {
    errno = ENOMEM;
    return NULL;
  }
  char *whole = chost_map_private(size + huge);
  if (!whole)
    return NULL;
  char *base = (char *)(((uintptr_t)whole + huge - 1) & ~(uintptr_t)(huge - 1));
  if (base > whole)
    munmap(whole, (size_t)(base - whole));
  if (base + size < whole + size + huge)
    munmap(base + size, (size_t)(whole + huge - base));
  return base;
}

static void *undo_mapping(void *base, size_t size) {
  const int reason = errno;
  munmap(base, size);
  errno = reason;
  return NULL;
}

void *chost_map_private_huge(size_t size, bool required) {
  void *base = map_private_aligned(size);
  if (base && madvise(base, size, MADV_HUGEPAGE) != 0 && required)
    return undo_mapping(base, size);
  return base;
}

void *chost_map_shared_huge(int descriptor, size_t size) {
  void *base = chost_map_shared(descriptor, size);
  if (!base)
    return NULL;
  if ((uintptr_t)base % huge_page_size() != 0) {
    munmap(base, size);
    base = map_private_aligned(size);
    if (!base)
      return NULL;
    if (mmap(base, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor, 0) == MAP_FAILED)
      return undo_mapping(base, size);
  }
  // Advice: where the kernel has no such pages there are small ones.
  madvise(base, size, MADV_HUGEPAGE);
  return base;
}
