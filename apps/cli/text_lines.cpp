#include "apps/cli/text_lines.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace ringpost::apps {

std::expected<std::string, std::string> contents_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::unexpected(std::strerror(errno));
    try {
        return std::string{std::istreambuf_iterator<char>(file), {}};
    } catch (const std::ios_base::failure& error) {  // e.g. a directory
        return std::unexpected(error.code().message());
    }
}

std::expected<std::vector<std::string_view>, std::string> text_lines(std::string_view contents) {
    if (contents.starts_with("\xff\xfe") || contents.starts_with("\xfe\xff"))
        return std::unexpected("is UTF-16, expected UTF-8");
    if (contents.starts_with("\xef\xbb\xbf")) contents.remove_prefix(3);
    std::vector<std::string_view> lines;
    while (!contents.empty()) {
        const std::size_t end = std::min(contents.find('\n'), contents.size());
        std::string_view line = contents.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        lines.push_back(line);
        contents.remove_prefix(std::min(end + 1, contents.size()));
    }
    return lines;
}

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace ringpost::apps
