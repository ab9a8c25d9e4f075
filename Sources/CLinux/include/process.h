#pragma once

// The words of the process's command line as the kernel handed them over: any bytes but zero, which need not be UTF-8.
//
// They are noted before main begins, so nothing of this needs /proc, from which the Swift runtime would take them.
int clinux_argument_count(void);
const char *_Nullable clinux_argument(int index);

// Keeps the process's memory from core dumps and from other processes of the same user. 0 or minus errno.
int clinux_process_hide_memory(void);
