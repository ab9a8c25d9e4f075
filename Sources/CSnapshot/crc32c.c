#include "CSnapshot.h"

#include <pthread.h>
#include <string.h>

#ifdef __aarch64__
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

static uint32_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill_table(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    table[0][byte] = crc;
  }
  for (int more = 1; more < 8; more++)
    for (int byte = 0; byte < 256; byte++)
      table[more][byte] = table[more - 1][byte] >> 8 ^ table[0][table[more - 1][byte] & 0xFF];
}

uint32_t csnapshot_crc32c_by_table(uint32_t crc, const void *bytes, size_t count) {
  pthread_once(&once, fill_table);
  const uint8_t *next = bytes;
  crc = ~crc;
  for (; count >= 8; count -= 8, next += 8) {
    uint32_t low, high;
    memcpy(&low, next, 4);
    memcpy(&high, next + 4, 4);
    low ^= crc;
    crc = table[7][low & 0xFF] ^ table[6][low >> 8 & 0xFF] ^ table[5][low >> 16 & 0xFF] ^ table[4][low >> 24] ^
          table[3][high & 0xFF] ^ table[2][high >> 8 & 0xFF] ^ table[1][high >> 16 & 0xFF] ^ table[0][high >> 24];
  }
  for (; count > 0; count--)
    crc = crc >> 8 ^ table[0][(crc ^ *next++) & 0xFF];
  return ~crc;
}

#ifdef __aarch64__

enum { HAS_CRC32 = 1 << 7 }; // HWCAP_CRC32

__attribute__((target("crc"))) static uint32_t by_instructions(uint32_t crc, const uint8_t *next, size_t count) {
  crc = ~crc;
  for (; count >= 64; count -= 64, next += 64) {
    uint64_t words[8];
    memcpy(words, next, sizeof words);
    crc = __crc32cd(crc, words[0]);
    crc = __crc32cd(crc, words[1]);
    crc = __crc32cd(crc, words[2]);
    crc = __crc32cd(crc, words[3]);
    crc = __crc32cd(crc, words[4]);
    crc = __crc32cd(crc, words[5]);
    crc = __crc32cd(crc, words[6]);
    crc = __crc32cd(crc, words[7]);
  }
  for (; count >= 8; count -= 8, next += 8) {
    uint64_t word;
    memcpy(&word, next, sizeof word);
    crc = __crc32cd(crc, word);
  }
  for (; count > 0; count--)
    crc = __crc32cb(crc, *next++);
  return ~crc;
}

uint32_t csnapshot_crc32c(uint32_t crc, const void *bytes, size_t count) {
  return getauxval(AT_HWCAP) & HAS_CRC32 ? by_instructions(crc, bytes, count)
                                         : csnapshot_crc32c_by_table(crc, bytes, count);
}

#else

uint32_t csnapshot_crc32c(uint32_t crc, const void *bytes, size_t count) {
  return csnapshot_crc32c_by_table(crc, bytes, count);
}

#endif
