// ZSTD_d_stableOutBuffer lets a frame be decompressed to its destination without a window buffer beside it. It stands
// behind this macro, but every library since 1.4.6 has it, the shared one too.
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>

// The importer does not see a macro that names an enumerator.
static const ZSTD_dParameter czstd_stable_out_buffer = ZSTD_d_stableOutBuffer;
