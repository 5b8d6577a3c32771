#include "codec/crypto/md5.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/helpers.hpp"

namespace ringpost::crypto {
namespace {

Bytes md5_of(std::string_view text) {
    const Md5Digest digest = md5(std::as_bytes(std::span(text)));
    return {digest.begin(), digest.end()};
}

// RFC 1321, A.5
TEST(Md5, digests_of_the_rfc) {
    EXPECT_EQ(md5_of(""), bytes_from_hex("d41d8cd98f00b204e9800998ecf8427e"));
    EXPECT_EQ(md5_of("message digest"), bytes_from_hex("f96b697d7cb7938d525a2f31aaf161d0"));
    EXPECT_EQ(md5_of("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
              bytes_from_hex("57edf4a22be3c955ac49da2e2107b67a"));
}

// RFC 2202, 2: cases 1 and 6
TEST(Md5, hmac_of_the_rfc) {
    const auto hmac = [](const Bytes& key, std::string_view text) {
        const Md5Digest digest = hmac_md5(key, std::as_bytes(std::span(text)));
        return Bytes(digest.begin(), digest.end());
    };
    EXPECT_EQ(hmac(Bytes(16, std::byte{0x0b}), "Hi There"), bytes_from_hex("9294727a3638bb1c13f48ef8158bfc9d"));
    EXPECT_EQ(hmac(Bytes(80, std::byte{0xaa}), "Test Using Larger Than Block-Size Key - Hash Key First"),
              bytes_from_hex("6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"));
}

}  // namespace
}  // namespace ringpost::crypto
