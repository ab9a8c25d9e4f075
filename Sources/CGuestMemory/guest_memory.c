#include "CGuestMemory.h"

// Virtio is little-endian and so is everything that stores its fields with the functions of the header.
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a little-endian host");
