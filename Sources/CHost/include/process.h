#pragma once

// Keeps the process's memory from core dumps and from other processes of the same user. 0 or minus errno.
int chost_process_hide_memory(void);

/// Has all threads allocate in one arena of the C library, and not each in its own.
void chost_process_share_heap(void);
