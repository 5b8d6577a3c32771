#pragma once

// Checks whether a datagram is a reply to the probe at all, and whether it is a good answer or an error.
//
//     dns            RFC 1035, 4.1: a response (QR) to a standard query with the same question. Its status is the
//                    response code; anything but NOERROR is an error, NXDOMAIN included, since the name was not
//                    resolved. NOERROR with TC is `truncated`, an error. A response with an error code may lack the
//                    question.
//
//     ntp            RFC 5905, 7.3 and 7.4: a packet of mode 4 (server). Stratum 0 is a kiss-o'-death with its code.
//                    Leap indicator 3, stratum 16 and above, and a transmit timestamp of 0 are `unsynchronized`. Both
//                    are errors.
//
//     memcached get  doc/protocol.txt: VALUE is a `hit`; END without a value is a `miss`, an error like ERROR,
//                    CLIENT_ERROR and SERVER_ERROR. Only values span several datagrams, so each of those is a hit.
//
//     expected       size and bytes given by the user; a reply without them is an error

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "codec/base/limits.hpp"

namespace ringpost::traffic {

/// What a reply to a free payload must be.
struct Expectation {
    struct Part {
        std::size_t offset = 0;
        std::vector<std::byte> bytes;
    };
    std::size_t size_min = 0, size_max = limits::datagram_bytes_max;
    std::vector<Part> parts;                    ///< bytes that it has at these offsets
    std::vector<std::vector<std::byte>> texts;  ///< bytes that it has anywhere

    bool any() const {
        return size_min > 0 || size_max < limits::datagram_bytes_max || !parts.empty() || !texts.empty();
    }
};

class AnswerCheck {
  public:
    struct Status {
        const char* name;
        bool error;
    };

    /// Checks nothing.
    AnswerCheck() = default;
    /// `question` is the question section of the query: one name, type and class.
    static AnswerCheck dns(std::span<const std::byte> question);
    static AnswerCheck ntp();
    static AnswerCheck memcached_get(std::string_view key);
    static AnswerCheck expected(Expectation expectation);

    bool any() const { return kind_ != Kind::none; }
    /// All statuses that replies may have.
    std::span<const Status> statuses() const;
    /// Returns the status of a reply as an index into statuses(), or nullopt if the datagram is not a reply to the
    /// probes or nothing is checked.
    std::optional<std::uint8_t> inspect(std::span<const std::byte> reply) const;

  private:
    enum class Kind : std::uint8_t { none, dns, ntp, memcached_get, expected };

    std::optional<std::uint8_t> inspect_dns(std::span<const std::byte> reply) const;
    std::optional<std::uint8_t> inspect_memcached_get(std::span<const std::byte> reply) const;
    std::uint8_t inspect_expected(std::span<const std::byte> reply) const;

    Kind kind_ = Kind::none;
    std::vector<std::byte> asked_;  ///< dns: the question; memcached: the key
    Expectation expectation_;
};

}  // namespace ringpost::traffic
