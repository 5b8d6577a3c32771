#pragma once

#include "codec/devices/options.hpp"

namespace ringpost::devices {

/// Names as displayed and as written to JSON: `not connected`, `timed out`, `appeared`, `goodbye`, `suspect`.
const char* name_of(Sent sent);
const char* name_of(Reply reply);
const char* name_of(Event::Kind kind);
const char* name_of(Cause cause);
const char* name_of(Presence presence);

}  // namespace ringpost::devices
