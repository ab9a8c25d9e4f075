#pragma once

// Keeps the process's memory from core dumps and from other processes of the same user. 0 or minus errno.
int chost_process_hide_memory(void);
