#include "codec/measure/histogram_log.hpp"

#include <gtest/gtest.h>
#include <libdeflate.h>

#include <random>
#include <sstream>

#include "codec/base/base64.hpp"
#include "codec/base/bytes.hpp"
#include "codec/measure/percentile_spectrum.hpp"
#include "tests/unit/codec/measure/histogram_log_vectors.hpp"
#include "tests/unit/helpers.hpp"

namespace ringpost {
namespace {

Histogram histogram_of(const HistogramVector& vector) {
    Histogram histogram;
    for (const auto& [duration, times] : vector.recorded) {
        Histogram one;
        one.record(duration);
        for (std::size_t index = 0; index < one.bucket_counts().size(); ++index)
            if (one.bucket_counts()[index] != 0) histogram.record_bucket(index, times);
    }
    return histogram;
}

bool same_counts(const Histogram& a, const Histogram& b) {
    return a.count() == b.count() && std::ranges::equal(a.bucket_counts(), b.bucket_counts());
}

std::string hex_of(std::span<const std::byte> bytes) {
    std::string text;
    for (const std::byte byte : bytes) {
        text += "0123456789abcdef"[std::to_integer<unsigned>(byte) >> 4];
        text += "0123456789abcdef"[std::to_integer<unsigned>(byte) & 15];
    }
    return text;
}

/// Encodes a histogram, modifies the bytes with `edit`, and decodes them.
template <class F>
std::string refusal_of(F&& edit) {
    Histogram histogram;
    histogram.record(300);
    std::vector<std::byte> bytes = encode_histogram(histogram);
    edit(bytes);
    const auto decoded = decode_histogram(bytes);
    return decoded ? "decoded" : decoded.error();
}

/// A header with the length of the counts, followed by the counts.
std::vector<std::byte> encoding_of(const std::string& counts_hex) {
    std::vector<std::byte> bytes = encode_histogram(Histogram{});
    bytes.resize(40);
    for (const std::byte byte : bytes_from_hex(counts_hex)) bytes.push_back(byte);
    bytes[7] = static_cast<std::byte>(bytes.size() - 40);
    return bytes;
}

TEST(HistogramLog, reads_the_vectors_of_the_reference) {
    for (const HistogramVector& vector : histogram_vectors) {
        SCOPED_TRACE(vector.name);
        const auto decoded = decode_histogram_text(vector.text);
        ASSERT_TRUE(decoded) << decoded.error();
        EXPECT_TRUE(same_counts(*decoded, histogram_of(vector)));
        EXPECT_EQ(decoded->saturated(), 0u);
        for (const auto& [percent, value] : vector.percentiles)
            EXPECT_EQ(decoded->percentile(percent), value) << percent;
    }
}

TEST(HistogramLog, writes_the_vectors_of_the_reference_except_for_two_unused_fields) {
    for (const HistogramVector& vector : histogram_vectors) {
        SCOPED_TRACE(vector.name);
        const std::string ours = hex_of(encode_histogram(histogram_of(vector)));
        std::string theirs = vector.plain_hex;
        ASSERT_EQ(theirs.substr(16, 8), "00000001");  // an index offset of 1, and a ratio of the integer 1: the Java
        ASSERT_EQ(theirs.substr(64, 16), "0000000000000001");  // implementation has 0 and the double 1
        theirs.replace(16, 8, "00000000");
        theirs.replace(64, 16, "3ff0000000000000");
        EXPECT_EQ(ours, theirs);
    }
}

TEST(HistogramLog, a_histogram_is_equal_after_encoding_and_decoding) {
    std::mt19937_64 random(7);
    for (int round = 0; round < 20; ++round) {
        Histogram histogram;
        for (int i = 0; i < 500; ++i) {
            const auto value = static_cast<Duration>(random() >> (29 + random() % 35));
            for (std::uint64_t times = random() % 300; times > 0; --times) histogram.record(value);
        }
        const auto decoded = decode_histogram_text(encode_histogram_text(histogram));
        ASSERT_TRUE(decoded) << decoded.error();
        EXPECT_TRUE(same_counts(*decoded, histogram));
        for (const double percent : {1.0, 50.0, 99.0, 99.9})
            EXPECT_EQ(std::min(decoded->percentile(percent), histogram.max()), histogram.percentile(percent));
        EXPECT_NEAR(decoded->mean(), histogram.mean(), histogram.mean() / 1000);
    }
}

TEST(HistogramLog, saturated_durations_decode_as_the_longest_bucket) {
    Histogram histogram;
    histogram.record(90 * second);
    const auto decoded = decode_histogram(encode_histogram(histogram));
    ASSERT_TRUE(decoded);
    EXPECT_TRUE(same_counts(*decoded, histogram));
    EXPECT_EQ(decoded->saturated(), 0u);
    EXPECT_GE(decoded->max(), Histogram::trackable_ns_max);
}

TEST(HistogramLog, longer_durations_of_other_writers_saturate) {
    // A run of 2^36 / 2^25 + 25 * 1024 zeros, which is the index of 2^36 ns, and two durations there.
    const auto decoded = decode_histogram(encoding_of("ffaf0304"));
    ASSERT_TRUE(decoded) << decoded.error();
    EXPECT_EQ(decoded->count(), 2u);
    EXPECT_EQ(decoded->saturated(), 2u);
    EXPECT_EQ(decoded->min(), Duration{1} << 36);
    EXPECT_EQ(decoded->percentile(50), decoded->max());
}

TEST(HistogramLog, refuses_unsupported_encodings_with_the_reason) {
    EXPECT_EQ(refusal_of([](auto&) {}), "decoded");
    EXPECT_EQ(refusal_of([](auto& bytes) { bytes.clear(); }), "not a histogram in V2 encoding");
    EXPECT_EQ(refusal_of([](auto& bytes) { bytes.resize(39); }), "not a histogram in V2 encoding");
    EXPECT_EQ(refusal_of([](auto& bytes) { bytes[3] = std::byte{0x03}; }), "not a histogram in V2 encoding");
    EXPECT_EQ(refusal_of([](auto& bytes) { bytes.pop_back(); }), "a histogram whose length field is wrong");
    EXPECT_EQ(refusal_of([](auto& bytes) { bytes.push_back(std::byte{0}); }),
              "a histogram whose length field is wrong");
    EXPECT_EQ(refusal_of([](auto& bytes) { bytes[23] = std::byte{5}; }),
              "a histogram of 3 significant digits from 5; only those of 3 from 1 are read");
    EXPECT_EQ(refusal_of([](auto& bytes) { bytes.back() |= std::byte{0x80}; }),
              "a histogram whose last count is cut off");
    const auto two_digits = decode_histogram_text(histogram_of_two_digits);
    ASSERT_FALSE(two_digits);
    EXPECT_EQ(two_digits.error(), "a histogram of 2 significant digits from 1; only those of 3 from 1 are read");
}

TEST(HistogramLog, refuses_counts_that_do_not_fit) {
    // 55,295 zeros and one duration are the maximum; one more zero, or the longest run, is too long.
    EXPECT_TRUE(decode_histogram(encoding_of("fddf0602")));
    for (const char* counts : {"ffdf0602", "ffffffffffffffffff", "ffffffffffffffffff02", "fddf060202"}) {
        const auto decoded = decode_histogram(encoding_of(counts));
        ASSERT_FALSE(decoded) << counts;
        EXPECT_EQ(decoded.error(), "a histogram with counts past the longest duration");
    }
    // 2^63 - 1 durations of 0 ns, and one of 1 ns.
    EXPECT_TRUE(decode_histogram(encoding_of("feffffffffffffffff")));
    const auto decoded = decode_histogram(encoding_of("feffffffffffffffff02"));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error(), "a histogram whose counts add up to more than 63 bits");
}

TEST(HistogramLog, refuses_invalid_text) {
    const std::string good = histogram_vectors[2].text;
    const auto why = [](const std::string& text) {
        const auto decoded = decode_histogram_text(text);
        return decoded ? "decoded" : decoded.error();
    };
    EXPECT_EQ(why(good), "decoded");
    EXPECT_EQ(why(""), "not a histogram in compressed V2 encoding");
    EXPECT_EQ(why(good.substr(1)), "a histogram that is not base64");
    EXPECT_EQ(why(good + "AAAA"), "a histogram whose length field is wrong");
    std::string broken = good;
    broken[20] = broken[20] == 'A' ? 'B' : 'A';
    EXPECT_EQ(why(broken), "a histogram whose zlib stream is broken");
}

TEST(HistogramLog, refuses_input_that_decompresses_to_more_than_a_histogram) {
    const Bytes zeros(1'000'000);
    Bytes bytes(8 + 2'000);
    libdeflate_compressor* const compressor = libdeflate_alloc_compressor(6);
    const std::size_t made = libdeflate_zlib_compress(compressor, zeros.data(), zeros.size(), &bytes[8], 2'000);
    libdeflate_free_compressor(compressor);
    ASSERT_GT(made, 0u);
    bytes.resize(8 + made);
    store_be(&bytes[0], std::uint32_t{0x1c849314});
    store_be(&bytes[4], static_cast<std::uint32_t>(made));
    const auto decoded = decode_histogram_text(encode_base64(bytes));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error(), "a histogram that is too large");
}

TEST(HistogramLog, reads_log_lines_of_the_reference) {
    std::istringstream log(histogram_log_vector);
    std::vector<LoggedInterval> intervals;
    double start_s = 0;
    for (std::string line; std::getline(log, line);) {
        if (const auto start = parse_histogram_log_start(line)) start_s = *start;
        const auto interval = parse_histogram_log_line(line);
        ASSERT_TRUE(interval) << interval.error();
        if (*interval) intervals.push_back(**interval);
    }
    EXPECT_EQ(start_s, 1700000000.123);
    ASSERT_EQ(intervals.size(), 3u);
    EXPECT_EQ(intervals[0].tag, "");
    EXPECT_EQ(intervals[0].start_s, 0);
    EXPECT_EQ(intervals[0].length_s, 1.001);
    EXPECT_EQ(intervals[0].histogram.count(), 8u);
    EXPECT_EQ(intervals[1].tag, "slip");
    EXPECT_EQ(intervals[1].start_s, 1.001);
    EXPECT_EQ(intervals[1].histogram.min(), 31);
    EXPECT_EQ(intervals[2].length_s, 1.5);
    EXPECT_EQ(intervals[2].histogram.count(), 0u);
}

TEST(HistogramLog, reads_its_own_lines) {
    LoggedInterval interval{.tag = "slip", .start_s = 1.0004, .length_s = 0.9996, .histogram = {}};
    interval.histogram.record(2'500'000);
    std::string line = histogram_log_line(interval);
    EXPECT_TRUE(line.starts_with("Tag=slip,1.000,1.000,2.500,HISTFA")) << line;
    ASSERT_EQ(line.back(), '\n');
    line.back() = '\r';  // line ending of another system
    const auto read = parse_histogram_log_line(line);
    ASSERT_TRUE(read && *read);
    EXPECT_EQ((*read)->tag, "slip");
    EXPECT_TRUE(same_counts((*read)->histogram, interval.histogram));

    EXPECT_EQ(histogram_log_head(1700000000.123, "Tue Nov 14 2023"),
              "#[Histogram log format version 1.3]\n#[StartTime: 1700000000.123 (seconds since epoch), "
              "Tue Nov 14 2023]\n\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
              "\"Interval_Compressed_Histogram\"\n");
}

TEST(HistogramLog, reports_what_is_wrong_with_a_line) {
    const std::string text = histogram_vectors[1].text;
    for (const std::string line : {"nonsense", "1,2,", "x,1,0,", "nan,1,0,", "inf,1,0,", "-1,1,0,", "1,,0,", "Tag=a"}) {
        const auto read = parse_histogram_log_line(line + text);
        ASSERT_FALSE(read) << line;
        EXPECT_EQ(read.error(), "expected start, length and longest, each a number") << line;
    }
    EXPECT_FALSE(parse_histogram_log_line("0,1,0"));
    EXPECT_FALSE(parse_histogram_log_line("0,1,0," + text + ",more"));
    EXPECT_TRUE(parse_histogram_log_line("0, 1, 0," + text));
    EXPECT_FALSE(parse_histogram_log_start("#[StartTime: soon]"));
}

TEST(PercentileSpectrum, prints_the_text_of_the_reference) {
    for (const HistogramVector& vector : histogram_vectors) {
        SCOPED_TRACE(vector.name);
        const auto decoded = decode_histogram_text(vector.text);
        ASSERT_TRUE(decoded);
        EXPECT_EQ(percentile_spectrum_text(*decoded, 1e3), vector.spectrum_us);
    }
}

TEST(PercentileSpectrum, ends_for_all_counts) {
    Histogram histogram;
    histogram.record_bucket(0, (std::uint64_t{1} << 63) - 3);
    histogram.record_bucket(1, 1);
    histogram.record_bucket(2, 1);
    const auto points = percentile_spectrum(histogram);
    ASSERT_LT(points.size(), 400u);
    EXPECT_EQ(points.back().level, 100);
    EXPECT_EQ(points.back().value_ns, 2);
}

TEST(Base64, follows_rfc_4648) {
    const std::pair<const char*, const char*> vectors[] = {
        {"", ""}, {"66", "Zg=="}, {"666f", "Zm8="}, {"666f6f", "Zm9v"}, {"666f6f62", "Zm9vYg=="}, {"fbff", "+/8="}};
    for (const auto& [hex, text] : vectors) {
        EXPECT_EQ(encode_base64(bytes_from_hex(hex)), text);
        const auto decoded = decode_base64(text);
        ASSERT_TRUE(decoded) << text;
        EXPECT_EQ(hex_of(*decoded), hex);
    }
    for (const char* text : {"Z", "Zg=", "Zg", "Zh==", "Zm9=", "====", "Zg==Zg==", "Zm 9", "Zm8-", "Zm8\n"})
        EXPECT_FALSE(decode_base64(text)) << text;
}

}  // namespace
}  // namespace ringpost
