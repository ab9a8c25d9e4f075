#include "CPlatformSchema.h"

// Asking for the file also makes it one that this one is compiled anew for.
#if !__has_include("../../Documentation/SCMIPlatform.schema.json")
#error "Documentation/SCMIPlatform.schema.json is missing"
#endif

// The assembler looks for it from the folder of this target's header, as for each that is included.
__asm__(".pushsection .rodata\n"
        "platform_schema_text:\n"
        ".incbin \"../../../Documentation/SCMIPlatform.schema.json\"\n"
        ".byte 0\n"
        ".popsection\n");

extern const char platform_schema_text[] __attribute__((visibility("hidden")));

const char *platform_schema(void) { return platform_schema_text; }
