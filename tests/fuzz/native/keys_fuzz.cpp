// Any text as a key file and as an allow list. A key is read again from what it is written as; a list has no peer
// twice, and finds each by its key.

#include <set>
#include <string>

#include "codec/crypto/keys.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::native_keys {

using namespace ringpost::crypto;

namespace {

int run(const std::uint8_t* data, std::size_t size) {
    // Of exactly that size, so that a sanitizer detects a read beyond it.
    const std::vector<char> copy(data, data + std::min<std::size_t>(size, 65'536));
    const std::string_view text(copy.data(), copy.size());
    if (const auto key = parse_key(text))
        RINGPOST_CHECK(parse_key(key_text(*key)) == *key);
    else
        RINGPOST_CHECK(!describe(key.error()).empty());
    const auto peers = parse_allow_list(text);
    if (!peers) {
        RINGPOST_CHECK(!describe(peers.error()).empty());
        return 0;
    }
    const AllowList list(*peers, {1, 2});
    std::set<std::string> names;
    for (const AllowedPeer& peer : *peers) {
        RINGPOST_CHECK(!peer.name.empty() && peer.name.size() <= peer_name_bytes_max && names.insert(peer.name).second);
        RINGPOST_CHECK(peer.bytes_per_second_max > 0);
        const AllowedPeer* const found = list.find(peer.public_key);
        RINGPOST_CHECK(found != nullptr && found->name == peer.name);
    }
    return 0;
}

const Target registered("native/keys", run);

}  // namespace
}  // namespace ringpost::fuzz::native_keys
