// Both texts are read line by line: the words of a line, then what they mean. The first fault ends the reading.

#include "codec/crypto/keys.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <map>
#include <utility>

#include "codec/base/base64.hpp"
#include "codec/base/check.hpp"
#include "codec/crypto/hash.hpp"

namespace ringpost::crypto {
namespace {

constexpr std::string_view key_text_blanks = " \t";

// Calls use(line, number) for each line that is neither empty nor a comment, until it returns a fault.
template <class Use>
std::expected<void, KeyTextError> for_each_key_line(std::string_view text, Use&& use) {
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        const std::size_t first = line.find_first_not_of(key_text_blanks);
        if (first == std::string_view::npos || line[first] == '#') continue;
        line = line.substr(first, line.find_last_not_of(key_text_blanks) - first + 1);
        if (const std::expected<void, KeyTextFault> used = use(line, number); !used)
            return std::unexpected(KeyTextError{used.error(), number});
    }
    return {};
}

// Takes the first word from `line`; "" if there is none.
std::string_view take_word(std::string_view& line) {
    const std::size_t end = std::min(line.find_first_of(key_text_blanks), line.size());
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(std::min(line.find_first_not_of(key_text_blanks, end), line.size()));
    return word;
}

std::expected<Key, KeyTextFault> key_of_word(std::string_view word) {
    auto bytes = decode_base64(word);
    if (!bytes) return std::unexpected(KeyTextFault::not_base64);
    if (bytes->size() != key_bytes) return std::unexpected(KeyTextFault::not_32_bytes);
    Key key;
    std::ranges::copy(*bytes, key.begin());
    wipe(*bytes);
    return key;
}

// A whole number with k, M or G (1000 each).
std::expected<std::uint64_t, KeyTextFault> rate_of_word(std::string_view word) {
    std::uint64_t rate = 0;
    const auto [rest, error] = std::from_chars(word.begin(), word.end(), rate);
    const std::string_view unit(rest, word.end());
    const std::uint64_t factor = unit.empty()  ? 1
                                 : unit == "k" ? 1'000
                                 : unit == "M" ? 1'000'000
                                 : unit == "G" ? 1'000'000'000
                                               : 0;
    if (error != std::errc() || factor == 0 || rate == 0 || rate > UINT64_MAX / factor)
        return std::unexpected(KeyTextFault::bad_rate);
    return rate * factor;
}

std::expected<AllowedPeer, KeyTextFault> allowed_peer_of(std::string_view line) {
    AllowedPeer peer;
    const auto key = key_of_word(take_word(line));
    if (!key) return std::unexpected(key.error());
    peer.public_key = *key;
    peer.name = take_word(line);
    if (peer.name.empty()) return std::unexpected(KeyTextFault::no_name);
    if (peer.name.size() > peer_name_bytes_max) return std::unexpected(KeyTextFault::name_too_long);
    if (line.empty()) return peer;
    const auto rate = rate_of_word(take_word(line));
    if (!rate) return std::unexpected(rate.error());
    if (!line.empty()) return std::unexpected(KeyTextFault::too_many_words);
    peer.bytes_per_second_max = *rate;
    return peer;
}

const char* text_of(KeyTextFault fault) {
    switch (fault) {
        case KeyTextFault::no_key: return "has no key";
        case KeyTextFault::two_keys: return "a second key";
        case KeyTextFault::not_base64: return "the key is not base64";
        case KeyTextFault::not_32_bytes: return "the key does not have 32 bytes";
        case KeyTextFault::no_name: return "a name must follow the key";
        case KeyTextFault::name_too_long: return "the name has more than 64 bytes";
        case KeyTextFault::bad_rate: return "the rate is not a number of bytes per second, such as 500k";
        case KeyTextFault::too_many_words: return "more than key, name and rate";
        case KeyTextFault::key_given_twice: return "the key of line ";
        case KeyTextFault::name_given_twice: return "the name of line ";
        case KeyTextFault::too_many_peers: return "more than 65536 peers";
    }
    return "";
}

}  // namespace

std::string describe(const KeyTextError& error) {
    std::string text = error.line > 0 ? "line " + std::to_string(error.line) + ": " : "";
    text += text_of(error.fault);
    if (error.other > 0) text += std::to_string(error.other) + " again";
    return text;
}

std::expected<Key, KeyTextError> parse_key(std::string_view text) {
    Key key{};
    bool found = false;
    const auto read =
        for_each_key_line(text, [&](std::string_view line, std::size_t) -> std::expected<void, KeyTextFault> {
            if (found) return std::unexpected(KeyTextFault::two_keys);
            const auto parsed = key_of_word(line);
            if (!parsed) return std::unexpected(parsed.error());
            key = *parsed;
            found = true;
            return {};
        });
    if (!read) return std::unexpected(read.error());
    if (!found) return std::unexpected(KeyTextError{KeyTextFault::no_key, 0});
    return key;
}

std::string key_text(const Key& key) { return encode_base64(key); }

std::expected<std::vector<AllowedPeer>, KeyTextError> parse_allow_list(std::string_view text) {
    std::vector<AllowedPeer> peers;
    std::map<Key, std::size_t> keys;
    std::map<std::string, std::size_t, std::less<>> names;
    std::size_t other = 0;
    const auto read =
        for_each_key_line(text, [&](std::string_view line, std::size_t number) -> std::expected<void, KeyTextFault> {
            auto peer = allowed_peer_of(line);
            if (!peer) return std::unexpected(peer.error());
            if (peers.size() == allowed_peers_max) return std::unexpected(KeyTextFault::too_many_peers);
            const auto [key, key_is_new] = keys.emplace(peer->public_key, number);
            if (!key_is_new) {
                other = key->second;
                return std::unexpected(KeyTextFault::key_given_twice);
            }
            const auto [name, name_is_new] = names.emplace(peer->name, number);
            if (!name_is_new) {
                other = name->second;
                return std::unexpected(KeyTextFault::name_given_twice);
            }
            peers.push_back(std::move(*peer));
            return {};
        });
    if (!read) return std::unexpected(KeyTextError{read.error().fault, read.error().line, other});
    return peers;
}

AllowList::AllowList(std::vector<AllowedPeer> peers, const SipKey& sip_key)
    : peers_(std::move(peers)),
      by_key_(static_cast<std::uint32_t>(std::bit_ceil(std::max<std::size_t>(peers_.size(), 1))), sip_key) {
    RINGPOST_CHECK(peers_.size() <= allowed_peers_max);
    for (std::uint32_t i = 0; i < peers_.size(); ++i) by_key_.touch(peers_[i].public_key) = i;
}

const AllowedPeer* AllowList::find(const Key& public_key) const {
    const std::uint32_t* const index = by_key_.find(public_key);
    return index == nullptr ? nullptr : &peers_[*index];
}

}  // namespace ringpost::crypto
