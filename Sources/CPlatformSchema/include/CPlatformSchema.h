// The JSON schema of SCMI platform files as the documentation publishes it.
#pragma once

// The text of Documentation/SCMIPlatform.schema.json: UTF-8, with a zero behind it.
const char *_Nonnull platform_schema(void);
