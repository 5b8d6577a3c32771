#include "apps/cli/sizes.hpp"

#include <fmt/core.h>

#include <sstream>
#include <stdexcept>
#include <utility>

#include "apps/cli/options.hpp"
#include "codec/base/limits.hpp"

namespace ringpost::apps {
namespace {

traffic::Sizes valid_sizes(std::expected<traffic::Sizes, traffic::SizesError> sizes) {
    using enum traffic::SizesError;
    if (sizes) return std::move(*sizes);
    switch (sizes.error()) {
        case out_of_range: break;
        case backwards: throw std::invalid_argument("the range ends before it begins");
        case weights: throw std::invalid_argument(fmt::format("a weight is 1 to {}", traffic::Sizes::weight_max));
        case count: throw std::invalid_argument(fmt::format("1 to {} sizes", limits::load_sizes_max));
    }
    throw std::invalid_argument(fmt::format("a datagram carries at most {} bytes", limits::datagram_bytes_max));
}

traffic::Sizes parse_list(const std::string& text) {
    std::vector<traffic::Sizes::Weighted> list;
    std::istringstream items(text);
    for (std::string item; std::getline(items, item, ',');) {
        const auto colon = item.find(':');
        if (colon == std::string::npos) throw std::invalid_argument(item + " has no weight, as in 64:7,576:4,1472:1");
        list.push_back({parse_datagram_size(item.substr(0, colon)),
                        parse_whole(item.substr(colon + 1), 1, traffic::Sizes::weight_max)});
    }
    return valid_sizes(traffic::Sizes::weighted(std::move(list)));
}

}  // namespace

traffic::Sizes parse_sizes(const std::string& text) {
    if (text == "imix") return traffic::Sizes::imix();
    if (text.find_first_of(":,") != std::string::npos) return parse_list(text);
    if (const auto dots = text.find(".."); dots != std::string::npos)
        return valid_sizes(traffic::Sizes::range(parse_datagram_size(text.substr(0, dots)),
                                                 parse_datagram_size(text.substr(dots + 2))));
    return traffic::Sizes::fixed(parse_datagram_size(text));
}

std::string sizes_text(const traffic::Sizes& sizes) {
    if (sizes == traffic::Sizes::imix()) return "imix";
    if (sizes.is_fixed()) return fmt::format("{} B", sizes.smallest());
    if (sizes.list().empty()) return fmt::format("{} to {} B", sizes.smallest(), sizes.largest());
    std::string text;
    for (const auto& [bytes, weight] : sizes.list())
        text += fmt::format("{}{}:{}", text.empty() ? "" : ",", bytes, weight);
    return text + " B";
}

}  // namespace ringpost::apps
