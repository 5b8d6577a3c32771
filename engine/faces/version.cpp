#include <ringpost/version.hpp>

namespace ringpost {

static_assert(version_text == RINGPOST_VERSION, "<ringpost/version.hpp> has another version than meson.build");

const char* library_version() { return RINGPOST_VERSION; }

}  // namespace ringpost
