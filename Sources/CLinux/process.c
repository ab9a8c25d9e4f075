#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "process.h"

#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>

static int word_count;
static char **words;

// The C library hands each constructor what main gets.
__attribute__((constructor)) static void note_arguments(int count, char **arguments) {
  word_count = count;
  words = arguments;
}

int clinux_argument_count(void) { return word_count; }

const char *clinux_argument(int index) { return index >= 0 && index < word_count ? words[index] : NULL; }

int clinux_process_hide_memory(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : -errno; }
