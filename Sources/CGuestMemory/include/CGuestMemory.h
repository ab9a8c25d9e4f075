// Access to memory that a running guest shares: single loads and stores with the ordering that virtio asks for, and
// copies that the compiler must not repeat. Swift has no word for either. Nothing here needs an operating system.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Every pointer is aligned to the size of what is loaded or stored.

static inline uint16_t guest_load_relaxed_u16(const void *_Nonnull from) {
  return __atomic_load_n((const uint16_t *)from, __ATOMIC_RELAXED);
}

static inline uint16_t guest_load_acquire_u16(const void *_Nonnull from) {
  return __atomic_load_n((const uint16_t *)from, __ATOMIC_ACQUIRE);
}

static inline void guest_store_relaxed_u16(void *_Nonnull to, uint16_t value) {
  __atomic_store_n((uint16_t *)to, value, __ATOMIC_RELAXED);
}

static inline void guest_store_release_u16(void *_Nonnull to, uint16_t value) {
  __atomic_store_n((uint16_t *)to, value, __ATOMIC_RELEASE);
}

// Orders a store before a later load of something else, which acquire and release alone do not.
static inline void guest_full_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

// memcpy whose source is read now and once. Without the barrier the compiler may read guest memory a second time
// instead of keeping the copy, and the guest may have changed it after the copy was checked.
static inline void guest_copy(void *_Nonnull to, const void *_Nonnull from, size_t size) {
  memcpy(to, from, size);
  __asm__ volatile("" ::: "memory");
}

// A descriptor of a virtqueue (virtio 1.3, 2.7.5), read once; `from` may have any alignment.
struct guest_descriptor {
  uint64_t address;
  uint32_t length;
  uint16_t flags;
  uint16_t next;
};

static inline struct guest_descriptor guest_load_descriptor(const void *_Nonnull from) {
  struct guest_descriptor descriptor;
  memcpy(&descriptor, from, sizeof descriptor);
  __asm__ volatile("" ::: "memory");
  return descriptor;
}

// A descriptor, written for whoever processes the ring; `to` is aligned to 16.
static inline void guest_store_descriptor(void *_Nonnull to, uint64_t address, uint32_t length, uint16_t flags,
                                          uint16_t next) {
  const struct guest_descriptor descriptor = {address, length, flags, next};
  memcpy(to, &descriptor, sizeof descriptor);
}

// An element of a used ring, read once: the identifier in the low half and the length in the high one.
static inline uint64_t guest_load_used_element(const void *_Nonnull from) {
  uint64_t element;
  memcpy(&element, from, sizeof element);
  __asm__ volatile("" ::: "memory");
  return element;
}

// An element of a used ring (virtio 1.3, 2.7.8): two aligned 32-bit words, published later by the ring's index.
static inline void guest_store_used_element(void *_Nonnull to, uint64_t element) {
  memcpy(to, &element, sizeof element);
}

// Has all processors execute what was just written there, also a guest whose caches are off: the data goes to memory,
// and what was kept of the instructions is dropped (Arm ARM, B2.7.4). Linux lets programs do both.
static inline void guest_make_executable(const void *_Nonnull start, size_t size) {
#if defined(__aarch64__)
  uint64_t cache_type;
  __asm__ volatile("mrs %0, ctr_el0" : "=r"(cache_type));
  const uintptr_t data_line = 4u << (cache_type >> 16 & 0xF), instruction_line = 4u << (cache_type & 0xF);
  const uintptr_t first = (uintptr_t)start, end = first + size;
  for (uintptr_t line = first & ~(data_line - 1); line < end; line += data_line)
    __asm__ volatile("dc civac, %0" ::"r"(line) : "memory");
  __asm__ volatile("dsb ish" ::: "memory");
  for (uintptr_t line = first & ~(instruction_line - 1); line < end; line += instruction_line)
    __asm__ volatile("ic ivau, %0" ::"r"(line) : "memory");
  __asm__ volatile("dsb ish\n\tisb" ::: "memory");
#else
  (void)start;
  (void)size;
#endif
}
