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

static inline uint64_t guest_load_relaxed_u64(const void *_Nonnull from) {
  return __atomic_load_n((const uint64_t *)from, __ATOMIC_RELAXED);
}

static inline void guest_store_relaxed_u16(void *_Nonnull to, uint16_t value) {
  __atomic_store_n((uint16_t *)to, value, __ATOMIC_RELAXED);
}

static inline void guest_store_release_u16(void *_Nonnull to, uint16_t value) {
  __atomic_store_n((uint16_t *)to, value, __ATOMIC_RELEASE);
}

static inline void guest_store_relaxed_u64(void *_Nonnull to, uint64_t value) {
  __atomic_store_n((uint64_t *)to, value, __ATOMIC_RELAXED);
}

// Orders a store before a later load of something else, which acquire and release alone do not.
static inline void guest_full_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

// memcpy whose source is read now and once. Without the barrier the compiler may read guest memory a second time
// instead of keeping the copy, and the guest may have changed it after the copy was checked.
static inline void guest_copy(void *_Nonnull to, const void *_Nonnull from, size_t size) {
  memcpy(to, from, size);
  __asm__ volatile("" ::: "memory");
}
