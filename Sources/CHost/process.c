#include "process.h"

#include <errno.h>
#include <malloc.h>
#include <sys/prctl.h>

int chost_process_hide_memory(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : -errno; }

void chost_process_share_heap(void) { mallopt(M_ARENA_MAX, 1); }
