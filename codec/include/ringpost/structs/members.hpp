#pragma once

// Access to the members of an aggregate without reflection: counts them by the number of initialisers that compile, and
// binds them with a structured binding of that many names.

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include <ringpost/limits.hpp>

namespace ringpost::structs::detail {

/// Converts to any member type in an initialiser; never instantiated as an object.
template <std::size_t>
struct Anything {
    template <class T>
    operator T() const;  // NOLINT(google-explicit-constructor): converting is all it is for
};

template <class T, std::size_t... Index>
consteval bool takes(std::index_sequence<Index...>) {
    return requires { T{Anything<Index>{}...}; };
}

/// Number of members of an aggregate without base classes. struct_members_max + 1 stands for any larger number.
template <class T, std::size_t Count = 0>
consteval std::size_t member_count() {
    if constexpr (Count <= limits::struct_members_max && takes<T>(std::make_index_sequence<Count + 1>{}))
        return member_count<T, Count + 1>();
    else
        return Count;
}

/// References to the members of `value`, in order. T may be const.
template <class T>
constexpr auto members_of(T& value) {
    constexpr std::size_t count = member_count<std::remove_const_t<T>>();
    static_assert(count <= limits::struct_members_max, "structs: an aggregate of more than struct_members_max members");
    // clang-format off
    if constexpr (count == 0) { return std::tuple<>(); }
    if constexpr (count == 1) { auto& [a] = value; return std::tie(a); }
    if constexpr (count == 2) { auto& [a, b] = value; return std::tie(a, b); }
    if constexpr (count == 3) { auto& [a, b, c] = value; return std::tie(a, b, c); }
    if constexpr (count == 4) { auto& [a, b, c, d] = value; return std::tie(a, b, c, d); }
    if constexpr (count == 5) { auto& [a, b, c, d, e] = value; return std::tie(a, b, c, d, e); }
    if constexpr (count == 6) { auto& [a, b, c, d, e, f] = value; return std::tie(a, b, c, d, e, f); }
    if constexpr (count == 7) { auto& [a, b, c, d, e, f, g] = value; return std::tie(a, b, c, d, e, f, g); }
    if constexpr (count == 8) { auto& [a, b, c, d, e, f, g, h] = value; return std::tie(a, b, c, d, e, f, g, h); }
    if constexpr (count == 9) { auto& [a, b, c, d, e, f, g, h, i] = value; return std::tie(a, b, c, d, e, f, g, h, i); }
    if constexpr (count == 10) {
        auto& [a, b, c, d, e, f, g, h, i, j] = value; return std::tie(a, b, c, d, e, f, g, h, i, j);
    }
    if constexpr (count == 11) {
        auto& [a, b, c, d, e, f, g, h, i, j, k] = value; return std::tie(a, b, c, d, e, f, g, h, i, j, k);
    }
    if constexpr (count == 12) {
        auto& [a, b, c, d, e, f, g, h, i, j, k, l] = value; return std::tie(a, b, c, d, e, f, g, h, i, j, k, l);
    }
    if constexpr (count == 13) {
        auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = value; return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m);
    }
    if constexpr (count == 14) {
        auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = value;
        return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n);
    }
    if constexpr (count == 15) {
        auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = value;
        return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o);
    }
    if constexpr (count == 16) {
        auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = value;
        return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
    }
    // clang-format on
}

}  // namespace ringpost::structs::detail
