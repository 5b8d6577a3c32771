#include "apps/measuring/gzip.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <cstdint>
#include <memory>

namespace ringpost::apps {

bool is_gzip(const std::string& contents) { return contents.starts_with("\x1f\x8b"); }

std::expected<std::string, std::string> gunzip(const std::string& contents) {
    constexpr std::size_t bytes_max = std::size_t{4} << 30;
    const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> decompressor(
        libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
    std::string out;
    std::size_t written = 0, room = 4 * contents.size();
    for (std::size_t read = 0; read < contents.size();) {
        out.resize(written + room);
        std::size_t taken = 0, made = 0;
        const auto result =
            libdeflate_gzip_decompress_ex(decompressor.get(), contents.data() + read, contents.size() - read,
                                          out.data() + written, out.size() - written, &taken, &made);
        if (result == LIBDEFLATE_INSUFFICIENT_SPACE && out.size() < bytes_max) {
            room *= 2;
            continue;
        }
        if (result != LIBDEFLATE_SUCCESS) return std::unexpected("a damaged or cut gzip file, or one over 4 GiB");
        read += taken;
        written += made;
    }
    out.resize(written);
    out.shrink_to_fit();
    return out;
}

}  // namespace ringpost::apps
