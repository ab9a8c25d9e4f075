#include "CCommandLine.h"

#include <stddef.h>
#include <stdlib.h>

static int word_count;
static char **words;

// The C library hands each constructor what main gets. This one comes before the Swift runtime's own, where the program
// is linked statically.
__attribute__((constructor(101))) static void begin(int count, char **arguments) {
  word_count = count;
  words = arguments;
  // Before main the runtime looks for the program that would show a crash, by way of /proc/self/exe, and ends the
  // process where there is no /proc. Beside a static executable there is none to find. Whoever sets the variable means
  // it.
  setenv("SWIFT_BACKTRACE", "enable=no,swift-backtrace=/nonexistent", 0);
}

int command_line_count(void) { return word_count; }

const char *command_line_word(int index) { return index >= 0 && index < word_count ? words[index] : NULL; }
