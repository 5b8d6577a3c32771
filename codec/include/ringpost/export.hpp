#pragma once

/// Marks what libringpost.so exports; the rest of the library is hidden.
#define RINGPOST_API [[gnu::visibility("default")]]
