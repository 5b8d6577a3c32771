#pragma once

// The texts of keys, and the list of the peers that may connect. Reading files is up to applications.
//
// A key file has one key, 32 bytes in base64 (RFC 4648, section 4), on a line of its own. An allow list has a line for
// each peer: its public key, its name, and optionally how many bytes a second it may send, separated by spaces:
//
//     # the pumps
//     r7uZ0ycxuEVwIvs5W5dDNfwyC8c8ZxCEaCYbvzF4pAY= pump-1
//     6oZFzQ8JxnPEGxQxL2h0Jr7rQIbBvVz6Fr3n0sfsKHE= pump-2 250k
//
// In both, empty lines and lines that begin with # are ignored, lines end with LF or CR LF, and a byte order mark may
// precede the first.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "codec/base/lru_table.hpp"
#include "codec/crypto/aead.hpp"

namespace ringpost::crypto {

/// The longest name of a peer, and the longest list.
inline constexpr std::size_t peer_name_bytes_max = 64;
inline constexpr std::size_t allowed_peers_max = 65'536;

enum class KeyTextFault : std::uint8_t {
    no_key,
    two_keys,
    not_base64,
    not_32_bytes,
    no_name,
    name_too_long,
    bad_rate,
    too_many_words,
    key_given_twice,
    name_given_twice,
    too_many_peers,
};

struct KeyTextError {
    KeyTextFault fault;
    std::size_t line;       ///< counted from 1; 0 for no_key, which is of the whole text
    std::size_t other = 0;  ///< the earlier line of a key or name that is given twice
};

/// `line 3: not base64`; printable, without a line end.
std::string describe(const KeyTextError& error);

/// The one key of a key file.
std::expected<Key, KeyTextError> parse_key(std::string_view text);

/// A key as the one line of a key file, without its end.
std::string key_text(const Key& key);

struct AllowedPeer {
    Key public_key{};
    std::string name;
    std::uint64_t bytes_per_second_max = UINT64_MAX;
};

/// Allocates. An empty list is valid: it allows nobody.
std::expected<std::vector<AllowedPeer>, KeyTextError> parse_allow_list(std::string_view text);

/// Finds a peer by its public key in O(1), whatever keys strangers present. Construction allocates.
class AllowList {
  public:
    /// `peers` are of parse_allow_list(), `sip_key` is secret.
    AllowList(std::vector<AllowedPeer> peers, const SipKey& sip_key);

    /// Null if the key is not in the list. Valid as long as the list is.
    [[nodiscard]] const AllowedPeer* find(const Key& public_key) const;
    [[nodiscard]] std::size_t size() const { return peers_.size(); }

  private:
    std::vector<AllowedPeer> peers_;
    LruTable<Key, std::uint32_t> by_key_;  ///< never full, so nothing is evicted
};

}  // namespace ringpost::crypto
