#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Memory of a file that another process gave and may shorten at any time.

// Maps a part of a file, to be read and written; of a private mapping nobody else sees what is written. What the file
// no longer has when it is touched reads as zero from then on, where it would have ended the process (SIGBUS), and the
// mapping is lost. NULL with errno; ENOSPC where there are CHOST_FOREIGN_MAPPINGS already.
void *_Nullable chost_foreign_map(int descriptor, uint64_t offset, size_t size);
void *_Nullable chost_foreign_map_private(int descriptor, uint64_t offset, size_t size);
void chost_foreign_unmap(void *_Nonnull base, size_t size);

// Whether a part of it was missing when it was touched.
bool chost_foreign_is_lost(const void *_Nonnull base);

// How often that has happened in this process.
uint64_t chost_foreign_losses(void);

enum { CHOST_FOREIGN_MAPPINGS = 4096 };

// What one process can notify another by: an eventfd or its like, to which writing raises no signal; or a pipe, of
// which each end has flags of its own.
typedef enum { chost_notifier_none, chost_notifier_event, chost_notifier_pipe } chost_notifier;
chost_notifier chost_notifier_of(int descriptor);
