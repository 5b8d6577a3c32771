#include "codec/gtudp/frame.hpp"

#include <gtest/gtest.h>

#include "codec/base/limits.hpp"
#include "tests/unit/helpers.hpp"
#include "tests/unit/vectors.hpp"

namespace ringpost::gtudp {
namespace {

Kind kind_of(const std::string& name) {
    EXPECT_TRUE(name == "DATA" || name == "RECV" || name == "ACK") << name;
    return name == "DATA" ? Kind::data : name == "RECV" ? Kind::recv : Kind::ack;
}

Bytes encoded(const Codec& codec, Kind kind, Identity identity, std::span<const std::byte> data = {}) {
    Bytes out(codec.header_bytes());
    codec.write_header(out.data(), kind, identity);
    out.insert(out.end(), data.begin(), data.end());
    return out;
}

Wire wire_of(std::string_view magic, std::string_view data, std::string_view recv, std::string_view ack) {
    return {bytes_of(magic), {bytes_of(data), bytes_of(recv), bytes_of(ack)}};
}

void expect_decodes(const Codec& codec, const Bytes& bytes, Kind kind, Identity identity, const Bytes& data) {
    const auto frame = codec.decode(bytes);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->kind, kind);
    EXPECT_EQ(frame->identity, identity);
    EXPECT_EQ(Bytes(frame->data.begin(), frame->data.end()), data);
}

TEST(GtudpFrame, every_vector_in_both_directions) {
    const Json all = vectors("gtudp");
    EXPECT_GE(all.size(), 27u);
    for (const Json& vector : all) {
        SCOPED_TRACE(vector.dump().substr(0, 120));
        Wire wire{bytes_from_hex(vector.at("magic")), {}};
        for (std::size_t i = 0; i < 3; ++i) wire.types[i] = bytes_from_hex(vector.at("types").at(i));
        const auto codec = Codec::make(wire);
        ASSERT_TRUE(codec);
        const Kind kind = kind_of(vector.at("kind"));
        const Identity identity = vector.at("identity");
        const Bytes data = bytes_from_hex(vector.at("data")), bytes = bytes_from_hex(vector.at("hex"));
        EXPECT_EQ(encoded(*codec, kind, identity, data), bytes);
        expect_decodes(*codec, bytes, kind, identity, data);
    }
}

TEST(GtudpFrame, the_default_wire_is_the_one_of_the_vectors_without_magic) {
    std::size_t seen = 0;
    for (const Json& vector : vectors("gtudp")) {
        if (vector.at("magic") != "") continue;
        const Bytes bytes = bytes_from_hex(vector.at("hex"));
        EXPECT_EQ(
            encoded(Codec(), kind_of(vector.at("kind")), vector.at("identity"), bytes_from_hex(vector.at("data"))),
            bytes);
        ++seen;
    }
    EXPECT_GE(seen, 9u);
}

TEST(GtudpFrame, every_identity_vector) {
    const Json all = vectors("gtudp_identity");
    EXPECT_GE(all.size(), 4u);
    for (const Json& vector : all)
        EXPECT_EQ(reference_identity(bytes_from_hex(vector.at("data")), vector.at("counter")), vector.at("identity"));
}

TEST(GtudpFrame, reference_identities_wrap_and_collide) {
    EXPECT_EQ(reference_identity({}, UINT32_MAX), 0u);
    EXPECT_EQ(reference_identity(bytes_of("ab"), 7), reference_identity(bytes_of("b`"), 8));
}

TEST(GtudpFrame, magic_of_any_length) {
    Random random(1);
    for (std::size_t magic_bytes = 0; magic_bytes < 40; ++magic_bytes) {
        for (const std::size_t type_bytes : {1u, 2u, 9u}) {
            Wire wire{random_bytes(random, magic_bytes), {}};
            for (std::size_t i = 0; i < 3; ++i) {
                wire.types[i] = random_bytes(random, type_bytes);
                wire.types[i].back() = static_cast<std::byte>(i);  // distinct in the last byte, if not earlier
            }
            const auto codec = Codec::make(wire);
            ASSERT_TRUE(codec);
            EXPECT_EQ(codec->header_bytes(), magic_bytes + type_bytes + 4);
            EXPECT_EQ(codec->data_bytes_max(), limits::datagram_bytes_max - codec->header_bytes());
            const Bytes data = bytes_of("data");
            expect_decodes(*codec, encoded(*codec, Kind::data, 0x0102'0304, data), Kind::data, 0x0102'0304, data);
            expect_decodes(*codec, encoded(*codec, Kind::recv, 5), Kind::recv, 5, {});
            expect_decodes(*codec, encoded(*codec, Kind::ack, 6), Kind::ack, 6, {});
            Bytes changed = encoded(*codec, Kind::data, 7, data);
            for (std::size_t i = 0; i < magic_bytes; ++i) {
                changed[i] ^= std::byte{0x40};
                EXPECT_FALSE(codec->decode(changed)) << "magic byte " << i;
                changed[i] ^= std::byte{0x40};
            }
            changed[magic_bytes + type_bytes - 1] = std::byte{3};
            EXPECT_FALSE(codec->decode(changed)) << "type";
        }
    }
}

TEST(GtudpFrame, the_magic_may_look_like_a_type) {
    const auto codec = Codec::make(wire_of("DR", "D", "R", "A"));
    ASSERT_TRUE(codec);
    expect_decodes(*codec, bytes_of("DRR1234"), Kind::recv, 0x3132'3334, {});
    EXPECT_FALSE(codec->decode(bytes_of("D1234")));
    EXPECT_FALSE(codec->decode(bytes_of("R1234")));
    EXPECT_FALSE(codec->decode(bytes_of("RDD1234")));
}

TEST(GtudpFrame, types_may_share_all_but_their_first_or_last_byte) {
    const auto ends = Codec::make(wire_of("", "xx1", "xx2", "xx3"));
    const auto starts = Codec::make(wire_of("", "1xx", "2xx", "3xx"));
    ASSERT_TRUE(ends && starts);
    expect_decodes(*ends, bytes_of("xx3abcd"), Kind::ack, 0x6162'6364, {});
    expect_decodes(*starts, bytes_of("2xxabcd"), Kind::recv, 0x6162'6364, {});
    EXPECT_FALSE(ends->decode(bytes_of("xx4abcd")));
    EXPECT_FALSE(starts->decode(bytes_of("1xyabcd")));
}

TEST(GtudpFrame, refuses_invalid_frames) {
    const Codec codec;
    const Bytes shortest = bytes_from_hex("1d01020304");
    for (std::size_t size = 0; size < shortest.size(); ++size)
        EXPECT_FALSE(codec.decode(Bytes(shortest.begin(), shortest.begin() + static_cast<std::ptrdiff_t>(size))));
    EXPECT_TRUE(codec.decode(shortest));
    EXPECT_TRUE(codec.decode(bytes_from_hex("1d0102030405")));
    EXPECT_TRUE(codec.decode(bytes_from_hex("5f01020304")));
    EXPECT_FALSE(codec.decode(bytes_from_hex("5f0102030405")));
    EXPECT_TRUE(codec.decode(bytes_from_hex("ae01020304")));
    EXPECT_FALSE(codec.decode(bytes_from_hex("ae0102030405")));
    for (int type = 0; type < 256; ++type) {
        const Bytes bytes = {static_cast<std::byte>(type), {}, {}, {}, {}};
        EXPECT_EQ(codec.decode(bytes).has_value(), type == 0x1d || type == 0x5f || type == 0xae) << type;
    }
}

TEST(GtudpFrame, the_data_is_a_view_of_the_datagram) {
    const Bytes bytes = bytes_from_hex("1d01020304aabb");
    const auto frame = Codec().decode(bytes);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->data.data(), bytes.data() + 5);
    EXPECT_EQ(frame->data.size(), 2u);
}

Bytes checked(const Codec& codec, Identity identity, std::string_view text) {
    Bytes out = encoded(codec, Kind::data, identity, bytes_of(text));
    out.resize(codec.data_frame_bytes(text.size()));
    codec.write_trailer(out);
    return out;
}

TEST(GtudpFrame, a_checked_wire_ends_each_message_with_a_crc) {
    Wire wire;
    wire.checked = true;
    const auto codec = Codec::make(wire);
    ASSERT_TRUE(codec);
    // CRC-32C of the nine bytes before it.
    EXPECT_EQ(checked(*codec, 0x3233'3435, "6789"), bytes_from_hex("1d32333435363738396fad8599"));
    const Bytes whole = checked(*codec, 7, "text");
    expect_decodes(*codec, whole, Kind::data, 7, bytes_of("text"));
    EXPECT_FALSE(codec->decode(whole)->corrupt);
    EXPECT_FALSE(codec->decode(checked(*codec, 7, ""))->corrupt);
    for (std::size_t at = 1; at < whole.size(); ++at) {
        Bytes changed = whole;
        changed[at] ^= std::byte{1};
        EXPECT_TRUE(codec->decode(changed)->corrupt) << "identity, data and checksum, byte " << at;
    }
    for (std::size_t size = codec->header_bytes(); size < whole.size(); ++size)
        EXPECT_TRUE(codec->decode(std::span(whole).first(size))->corrupt) << size;
    // RECV and ACK are the same.
    expect_decodes(*codec, bytes_from_hex("5f01020304"), Kind::recv, 0x0102'0304, {});
    EXPECT_EQ(codec->data_bytes_max(), Codec().data_bytes_max() - checksum_bytes);
    EXPECT_EQ(Codec().data_frame_bytes(4), Codec().header_bytes() + 4);
    EXPECT_FALSE(Codec().decode(whole)->corrupt) << "other programs receive the checksum as data";
}

TEST(GtudpWire, every_error) {
    const auto error = [](const Wire& wire) { return Codec::make(wire).error(); };
    EXPECT_EQ(error(wire_of("m", "", "b", "c")), WireError::type_empty);
    EXPECT_EQ(error(wire_of("m", "a", "", "c")), WireError::type_empty);
    EXPECT_EQ(error(wire_of("m", "a", "b", "")), WireError::type_empty);
    EXPECT_EQ(error(wire_of("m", "", "", "")), WireError::type_empty);
    EXPECT_EQ(error(wire_of("m", "a", "ab", "b")), WireError::type_lengths) << "one is a prefix of another";
    EXPECT_EQ(error(wire_of("m", "a", "b", "bc")), WireError::type_lengths);
    EXPECT_EQ(error(wire_of("m", "aa", "b", "c")), WireError::type_lengths);
    EXPECT_EQ(error(wire_of("m", "a", "a", "c")), WireError::types_equal);
    EXPECT_EQ(error(wire_of("m", "a", "b", "a")), WireError::types_equal);
    EXPECT_EQ(error(wire_of("m", "a", "b", "b")), WireError::types_equal);
    EXPECT_TRUE(Codec::make(wire_of("m", "a", "b", "c")));
}

TEST(GtudpWire, the_header_must_leave_space_for_a_byte) {
    const std::size_t longest = limits::datagram_bytes_max - 1 - 1 - identity_bytes;
    const auto codec = Codec::make(wire_of(std::string(longest, 'm'), "a", "b", "c"));
    ASSERT_TRUE(codec);
    EXPECT_EQ(codec->data_bytes_max(), 1u);
    expect_decodes(*codec, encoded(*codec, Kind::data, 9, bytes_of("x")), Kind::data, 9, bytes_of("x"));
    EXPECT_EQ(Codec::make(wire_of(std::string(longest + 1, 'm'), "a", "b", "c")).error(), WireError::header_too_long);
    EXPECT_EQ(Codec::make(wire_of(std::string(longest, 'm'), "aa", "bb", "cc")).error(), WireError::header_too_long);
    Wire checked = wire_of(std::string(longest - checksum_bytes, 'm'), "a", "b", "c");
    checked.checked = true;
    EXPECT_EQ(Codec::make(checked)->data_bytes_max(), 1u);
    checked.magic.push_back(std::byte{'m'});
    EXPECT_EQ(Codec::make(checked).error(), WireError::header_too_long);
}

}  // namespace
}  // namespace ringpost::gtudp
