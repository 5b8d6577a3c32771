#include "codec/structs/scanner.hpp"

#include <gtest/gtest.h>

#include "tests/sim/seeds.hpp"
#include "tests/unit/codec/structs/model.hpp"
#include "tests/unit/helpers.hpp"
#include "tests/unit/vectors.hpp"

namespace ringpost::structs {
namespace {

std::vector<model::Found> scan(std::span<const std::byte> bytes) {
    std::vector<model::Found> out;
    Scanner scanner(bytes);
    std::size_t in_packets = 0;
    while (const auto found = scanner.next()) {
        model::Found one{found->offset, std::nullopt, 0, {}};
        if (found->packet) {
            one.id = found->packet->id;
            one.payload.assign(found->packet->payload.begin(), found->packet->payload.end());
            in_packets += header_bytes + one.payload.size();
        } else {
            one.error = found->packet.error();
        }
        out.push_back(std::move(one));
    }
    EXPECT_FALSE(scanner.next()) << "no more results after the end";
    EXPECT_EQ(scanner.skipped(), bytes.size() - in_packets);
    return out;
}

void append(Bytes& bytes, const Bytes& more) { bytes.insert(bytes.end(), more.begin(), more.end()); }

Bytes scanned_packet(MessageId id, const Bytes& payload) {
    Bytes out(header_bytes + payload.size());
    encode({id, payload}, out);
    return out;
}

TEST(StructsScanner, every_stream_vector) {
    const Json all = vectors("struct_stream");
    EXPECT_GE(all.size(), 7u);
    for (const Json& vector : all) {
        SCOPED_TRACE(vector.dump());
        const Bytes bytes = bytes_from_hex(vector.at("hex"));
        std::vector<std::pair<MessageId, Bytes>> found, expected;
        for (const model::Found& one : scan(bytes))
            if (!one.error) found.emplace_back(one.id, one.payload);
        for (const Json& one : vector.at("found"))
            expected.emplace_back(one.at(0).get<MessageId>(), bytes_from_hex(one.at(1)));
        EXPECT_EQ(found, expected);
    }
}

TEST(StructsScanner, every_error_has_its_offset) {
    const Bytes good = scanned_packet(22, bytes_from_hex("07000000"));
    Bytes bytes = bytes_from_hex("00ffff16000b005c09000000");  // wrong checksum at 1
    append(bytes, good);                                       // at 12
    append(bytes, bytes_from_hex("ffff1600030000"));           // size too small at 23
    append(bytes, good);                                       // at 30
    append(bytes, bytes_from_hex("ffffff16000b"));             // incomplete at 41 and 42
    const std::vector<model::Found> expected = {
        {1, FrameError::checksum, 0, {}},    {12, std::nullopt, 22, bytes_from_hex("07000000")},
        {23, FrameError::size_small, 0, {}}, {30, std::nullopt, 22, bytes_from_hex("07000000")},
        {41, FrameError::past_end, 0, {}},   {42, FrameError::past_end, 0, {}}};
    EXPECT_EQ(scan(bytes), expected);
}

TEST(StructsScanner, a_packet_inside_a_packet_is_payload) {
    const Bytes outer = scanned_packet(1, scanned_packet(2, bytes_of("inner")));
    EXPECT_EQ(scan(outer).size(), 1u);
    Bytes broken = outer;
    broken[6] ^= std::byte{1};
    const auto found = scan(broken);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].error, FrameError::checksum);
    EXPECT_EQ(found[1].id, 2) << "the packet inside the damaged one";
}

// Random sequences of packets, damaged ones and garbage with many FF, compared with the model.
TEST(StructsScanner, finds_what_the_model_finds) {
    sim::for_each_seed(3'000, [](std::uint64_t seed) {
        Random random(seed);
        Bytes bytes;
        for (std::uint64_t pieces = random() % 12; pieces > 0; --pieces) {
            const std::uint64_t what = random() % 8;
            Bytes piece = random_bytes(random, random() % (random() % 4 == 0 ? 1'500 : 40));
            if (what == 0) {  // half of it is FF
                for (std::byte& byte : piece)
                    if (random() % 2 == 0) byte = std::byte{0xff};
            } else if (what == 1) {
                for (std::byte& byte : piece) byte = std::byte{0xff};
            } else if (what > 2) {
                piece = scanned_packet(static_cast<MessageId>(random()), piece);
                if (what == 3) piece[random() % piece.size()] ^= static_cast<std::byte>(1u << random() % 8);
                if (what == 4) piece.resize(random() % piece.size());
                if (what == 5) store_le(&piece[4], static_cast<std::uint16_t>(random() % 2'000));
            }
            append(bytes, piece);
        }
        ASSERT_EQ(scan(bytes), model::scan(bytes));
    });
}

// Every packet is found, whatever one byte in front of it becomes, unless that byte extends an earlier packet over it,
// which the model determines.
TEST(StructsScanner, damage_hides_no_packet_that_follows) {
    Bytes bytes;
    for (MessageId id = 0; id < 6; ++id) append(bytes, scanned_packet(id, Bytes(id * 3u, static_cast<std::byte>(id))));
    Random random(4);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        for (const std::byte flip :
             {std::byte{1}, std::byte{0x80}, std::byte{0xff}, static_cast<std::byte>(random())}) {
            bytes[at] ^= flip;
            ASSERT_EQ(scan(bytes), model::scan(bytes)) << at;
            bytes[at] ^= flip;
        }
    }
}

// Magics whose sizes cover almost all of the rest, none of them a packet until the very end. A scanner that reads the
// payload of all sixteen thousand would read a gigabyte; timings are in bench/.
TEST(StructsScanner, garbage_full_of_magics_hides_no_packet) {
    for (const unsigned stride : {4u, 64u, 100u}) {
        Bytes bytes;
        const std::size_t size = 40'000;
        while (bytes.size() + stride < size) {
            const std::size_t left = size - bytes.size();
            Bytes piece(stride, std::byte{0xaa});
            piece[0] = piece[1] = std::byte{0xff};
            if (stride >= 7) store_le(&piece[4], static_cast<std::uint16_t>(left - 20));
            append(bytes, piece);
        }
        const Bytes last = scanned_packet(9, bytes_of("still here"));
        append(bytes, last);
        if (stride == 4) {  // the size of each magic is the FF FF of the next: incomplete
            EXPECT_EQ(scan(bytes).back(),
                      (model::Found{bytes.size() - last.size(), std::nullopt, 9, bytes_of("still here")}));
            continue;
        }
        ASSERT_EQ(scan(bytes), model::scan(bytes)) << stride;
    }
}

TEST(StructsScanner, spans_longer_than_a_packet) {
    Random random(5);
    Bytes bytes(200'000, std::byte{0xff});  // each magic claims a packet of 65,535 bytes with a wrong checksum
    append(bytes, scanned_packet(3, bytes_of("end")));
    const auto found = scan(bytes);
    ASSERT_FALSE(found.empty());
    EXPECT_EQ(found.back().payload, bytes_of("end"));
    EXPECT_EQ(found.front().error, FrameError::checksum);
    EXPECT_EQ(found.size(), 200'001u);
    // Without wrong checksums: packets of the largest size back to back, the last one byte short.
    bytes.clear();
    for (int i = 0; i < 3; ++i)
        append(bytes, scanned_packet(1, random_bytes(random, limits::struct_payload_bytes_max)));
    bytes.pop_back();
    EXPECT_EQ(scan(bytes), model::scan(bytes));
}

TEST(StructsStretchXor, any_ranges_in_ascending_order) {
    sim::for_each_seed(40, [](std::uint64_t seed) {
        Random random(seed);
        const Bytes bytes = random_bytes(random, 300'000);
        StretchXor stretches;
        for (std::size_t from = 0; from < bytes.size(); from += random() % (seed % 2 == 0 ? 9'000 : 200'000)) {
            const std::size_t until = std::min(bytes.size(), from + random() % (random() % 2 == 0 ? 65'529 : 300));
            ASSERT_EQ(stretches.of(bytes, from, until), xor_of(std::span(bytes).subspan(from, until - from)));
            if (random() % 50 == 0) from += random() % 150'000;
        }
    });
}

}  // namespace
}  // namespace ringpost::structs
