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
//     quic           RFC 8999, 6: a Version Negotiation packet, which lists the versions of the server
//
//     snmp           RFC 3416, 3: a Response-PDU. Its status is the error-status, or the exception in place of a value
//                    (noSuchObject and the like); anything but noError is an error
//
//     coap           RFC 7252, 5.2: a response, with its code as the status; 4.xx and 5.xx are errors. An empty
//                    message, which only confirms the request, is not a reply
//
//     radius         RFC 2865, 4: Access-Accept is good, Access-Reject and Access-Challenge are errors
//
//     sip            RFC 3261, 7.2: a final response; 2xx is good. A provisional one (1xx) is not a reply
//
//     a2s            Valve's Server queries: S2A_INFO is good. S2C_CHALLENGE is neither measured nor an error: the next
//                    probes of the flow carry the challenge
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
        bool step = false;  ///< an answer on the way to one that is measured; not an error
    };
    /// The replies of one protocol. `inspect` is that of AnswerCheck; null functions do what AnswerCheck describes.
    struct Protocol {
        std::span<const Status> statuses;
        std::optional<std::uint8_t> (*inspect)(const AnswerCheck& check, std::span<const std::byte> reply);
        std::span<const std::byte> (*matched_part)(std::span<const std::byte> reply) = nullptr;
        std::span<const std::byte> (*token)(std::span<const std::byte> reply) = nullptr;
    };

    /// Checks nothing.
    AnswerCheck() = default;
    /// `question` is the question section of the query: one name, type and class. Empty: any question.
    static AnswerCheck dns(std::span<const std::byte> question);
    static AnswerCheck ntp();
    static AnswerCheck memcached_get(std::string_view key);
    static AnswerCheck quic();
    static AnswerCheck snmp();
    static AnswerCheck coap();
    static AnswerCheck radius();
    static AnswerCheck sip();
    static AnswerCheck a2s();
    static AnswerCheck expected(Expectation expectation);

    bool any() const { return protocol_ != nullptr; }
    /// All statuses that replies may have.
    std::span<const Status> statuses() const { return any() ? protocol_->statuses : std::span<const Status>{}; }
    /// Returns the status of a reply as an index into statuses(), or nullopt if the datagram is not a reply to the
    /// probes or nothing is checked.
    std::optional<std::uint8_t> inspect(std::span<const std::byte> reply) const {
        return any() ? protocol_->inspect(*this, reply) : std::nullopt;
    }
    /// The part of a reply to which the offsets of a MatchRule refer: all, unless the place varies.
    std::span<const std::byte> matched_part(std::span<const std::byte> reply) const {
        return any() && protocol_->matched_part != nullptr ? protocol_->matched_part(reply) : reply;
    }
    /// What the next probes of the flow must carry; empty: as before.
    std::span<const std::byte> token(std::span<const std::byte> reply) const {
        return any() && protocol_->token != nullptr ? protocol_->token(reply) : std::span<const std::byte>{};
    }

    /// dns: the question; memcached: the key.
    std::span<const std::byte> asked() const { return asked_; }
    const Expectation& expectation() const { return expectation_; }

  private:
    explicit AnswerCheck(const Protocol& protocol) : protocol_(&protocol) {}

    const Protocol* protocol_ = nullptr;
    std::vector<std::byte> asked_;
    Expectation expectation_;
};

}  // namespace ringpost::traffic
