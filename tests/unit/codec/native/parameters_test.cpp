#include "codec/native/parameters.hpp"

#include <gtest/gtest.h>

#include "tests/unit/helpers.hpp"

namespace ringpost::native {
namespace {

Bytes written_parameters(const Parameters& parameters, std::uint32_t random = 0) {
    Bytes out(parameters_bytes_max);
    out.resize(write_parameters(out, parameters, random));
    return out;
}

Parameters sample_parameters() {
    Parameters out;
    out.message_bytes_max = 0x01020304;
    out.channels.clear();
    EXPECT_TRUE(out.channels.try_append(ChannelKind::latest, 3));
    EXPECT_TRUE(out.channels.try_append(ChannelKind::ordered, 253));
    out.connection_window_bytes = 5;
    out.channel_window_bytes = 6;
    out.idle_timeout_ms = 7;
    out.ack_delay_us = 8;
    out.datagram_bytes_max = 1'400;
    out.features = 9;
    EXPECT_TRUE(out.set_application("näme"));
    return out;
}

TEST(Parameters, have_the_documented_bytes) {
    const Bytes bytes = written_parameters(sample_parameters(), 0xaabb027f);
    EXPECT_EQ(bytes, bytes_from_hex("010404030201"
                                    "0204030200fc"
                                    "03080500000000000000"
                                    "04080600000000000000"
                                    "050407000000"
                                    "060408000000"
                                    "07027805"
                                    "080409000000"
                                    "09056ec3a46d65"
                                    "ff047f02bbaa"));
    EXPECT_EQ(parse_parameters(bytes), sample_parameters());
}

TEST(Parameters, absent_ones_have_defaults) {
    EXPECT_EQ(parse_parameters({}), Parameters());
    const auto some = parse_parameters(bytes_from_hex("0704000000") /* wrong length */);
    EXPECT_EQ(some.error(), ParameterError::cut);
    EXPECT_EQ(parse_parameters(bytes_from_hex("07027805"))->datagram_bytes_max, 1'400);
}

TEST(Parameters, the_longest_fit) {
    Parameters longest;
    longest.channels.clear();
    for (std::size_t i = 0; i < limits::native_channel_runs_max; ++i)
        ASSERT_TRUE(longest.channels.try_append(i % 2 == 0 ? ChannelKind::latest : ChannelKind::ordered, 8));
    EXPECT_EQ(longest.channels.channels(), 256u);
    EXPECT_FALSE(longest.channels.try_append(ChannelKind::ordered, 1)) << "more than 256 channels";
    ASSERT_TRUE(longest.set_application(std::string(64, 'n')));
    EXPECT_FALSE(longest.set_application(std::string(65, 'n')));
    EXPECT_FALSE(longest.set_application("\xff"));
    for (const std::uint32_t random : {0u, 0x4ffu, 0xffffffffu}) {
        const Bytes bytes = written_parameters(longest, random);
        EXPECT_LE(bytes.size(), parameters_bytes_max);
        EXPECT_EQ(parse_parameters(bytes), longest);
    }
}

TEST(Parameters, every_random_parameter_is_ignored) {
    Random random(1);
    for (int i = 0; i < 1'000; ++i)
        ASSERT_EQ(parse_parameters(written_parameters(sample_parameters(), static_cast<std::uint32_t>(random()))),
                  sample_parameters());
    // Unknown ids may stand anywhere.
    EXPECT_EQ(parse_parameters(bytes_from_hex("0000070278050a01ff")), parse_parameters(bytes_from_hex("07027805")));
}

TEST(Parameters, each_fault_is_named) {
    const auto error_of = [](const std::string& hex) { return parse_parameters(bytes_from_hex(hex)).error(); };
    EXPECT_EQ(error_of("01"), ParameterError::cut);
    EXPECT_EQ(error_of("0104010000"), ParameterError::cut);
    EXPECT_EQ(error_of("010401000000"
                       "010401000000"),
              ParameterError::order);
    EXPECT_EQ(error_of("0702780501040100"
                       "0000"),
              ParameterError::order);
    EXPECT_EQ(error_of("0103010000"), ParameterError::length);
    EXPECT_EQ(error_of("010400000000"), ParameterError::out_of_range);
    EXPECT_EQ(error_of("010401000040"), ParameterError::out_of_range) << "more than 1 GiB";
    EXPECT_EQ(error_of("0702af04"), ParameterError::out_of_range) << "below 1,200";
    EXPECT_EQ(error_of("07020140"), ParameterError::out_of_range) << "above 16,384";
    EXPECT_EQ(error_of("050400000000"), ParameterError::out_of_range);
    EXPECT_EQ(error_of("0200"), ParameterError::length);
    EXPECT_EQ(error_of("020100"), ParameterError::length);
    EXPECT_EQ(error_of("02020400"), ParameterError::bad_kind);
    EXPECT_EQ(error_of("020400000005"), ParameterError::bad_kind) << "two runs of one kind";
    EXPECT_EQ(error_of("020400ff0100"), ParameterError::too_many_channels);
    EXPECT_EQ(error_of("0901ff"), ParameterError::name);
    EXPECT_EQ(error_of("0941" + std::string(130, '6')), ParameterError::length);
}

TEST(Parameters, our_own_faults_are_found) {
    Parameters parameters;
    EXPECT_FALSE(fault_of(parameters));
    parameters.datagram_bytes_max = 1'000;
    EXPECT_EQ(fault_of(parameters), ParameterError::out_of_range);
}

TEST(Parameters, channels_that_differ_are_found) {
    ChannelKinds ours = sample_parameters().channels, theirs;
    theirs.clear();
    ASSERT_TRUE(theirs.try_append(ChannelKind::latest, 2));
    EXPECT_FALSE(mismatch_of(ours, theirs));
    EXPECT_FALSE(mismatch_of(theirs, ours));
    ASSERT_TRUE(theirs.try_append(ChannelKind::unreliable, 5));
    const auto mismatch = mismatch_of(ours, theirs);
    ASSERT_TRUE(mismatch);
    EXPECT_EQ(mismatch->channel, 2u);
    EXPECT_EQ(mismatch->ours, ChannelKind::latest);
    EXPECT_EQ(mismatch->theirs, ChannelKind::unreliable);
    EXPECT_EQ(ours.kind_of(2), ChannelKind::latest);
    EXPECT_EQ(ours.kind_of(3), ChannelKind::ordered);
    EXPECT_EQ(ours.kind_of(255), ChannelKind::ordered);
}

}  // namespace
}  // namespace ringpost::native
