#include "memory.h"

int64_t clinux_resident_size(void *base, size_t size) {
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
