// What a command line needs of the moment before main begins.
#pragma once

// The words of the process's command line as the kernel handed them over: any bytes but zero, which need not be UTF-8.
//
// They are noted before main begins, so nothing of this needs /proc, from which the Swift runtime would take them.
int command_line_count(void);
const char *_Nullable command_line_word(int index);
