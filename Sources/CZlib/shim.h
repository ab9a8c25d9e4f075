// The same view of the C library as in CLinux: Swift refuses two definitions of one type that differ.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <zlib.h>
