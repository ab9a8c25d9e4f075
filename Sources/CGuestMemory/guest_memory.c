#include "CGuestMemory.h"

// Virtio is little-endian and so is everything that stores its fields with the functions of the header.
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a little-endian host");

_Static_assert(sizeof(struct guest_descriptor) == 16, "a descriptor of virtio 1.3, 2.7.5");
