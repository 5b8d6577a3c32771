// Reads the input as a line of a log, as a histogram in text form, and as one in V2 encoding. What has been read must
// be equal after writing and reading it again, and its spectrum must end.

#include <algorithm>

#include "codec/base/base64.hpp"
#include "codec/measure/histogram_log.hpp"
#include "codec/measure/percentile_spectrum.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::measure_histogram_log {

namespace {

bool same(const Histogram& a, const Histogram& b) {
    return a.count() == b.count() && std::ranges::equal(a.bucket_counts(), b.bucket_counts());
}

void check_histogram(const Histogram& histogram) {
    const auto again = decode_histogram(encode_histogram(histogram));
    RINGPOST_CHECK(again && same(*again, histogram));
    const auto points = percentile_spectrum(histogram);
    RINGPOST_CHECK(points.empty() == (histogram.count() == 0) && points.size() < 500);
    RINGPOST_CHECK(points.empty() || points.back().count == histogram.count());
    RINGPOST_CHECK(histogram.min() <= histogram.percentile(50) && histogram.percentile(50) <= histogram.max());
}

int run(const std::uint8_t* data, std::size_t size) {
    Script script(data, size, 65'536);
    const Bytes bytes = script.bytes(size);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (const auto histogram = decode_histogram(bytes)) check_histogram(*histogram);
    if (const auto plain = decode_base64(text)) RINGPOST_CHECK(encode_base64(*plain) == text);
    if (const auto histogram = decode_histogram_text(text)) check_histogram(*histogram);
    (void)parse_histogram_log_start(text);
    const auto interval = parse_histogram_log_line(text);
    if (!interval || !*interval) return 0;
    std::string line = histogram_log_line(**interval);
    line.pop_back();
    const auto again = parse_histogram_log_line(line);
    RINGPOST_CHECK(again && *again && (*again)->tag == (*interval)->tag);
    RINGPOST_CHECK(same((*again)->histogram, (*interval)->histogram));
    return 0;
}

const Target registered("measure/histogram_log", run);

}  // namespace
}  // namespace ringpost::fuzz::measure_histogram_log
