#pragma once

#include <expected>
#include <string>

namespace ringpost {

/// What failed and why, as one printable line: `bind 0.0.0.0:5005: Address already in use`.
struct Error {
    int code = 0;  ///< errno, or a getaddrinfo code if `text` names getaddrinfo
    std::string text;
};

template <class T>
using Result = std::expected<T, Error>;

}  // namespace ringpost
