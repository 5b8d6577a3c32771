// nlohmann-json's own parser searches an ordered object for each member that it adds. This one appends, and a set for
// each open object finds names that are there twice.

#include "apps/cli/json.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace ringpost::apps {
namespace {

/// The SAX handler. All callbacks return whether to continue.
class Builder {
  public:
    explicit Builder(JsonLimits limits) : limits_(limits) {}

    Json take() { return std::move(root_); }
    const std::string& error() const { return error_; }

    bool null() { return add(nullptr); }
    bool boolean(bool value) { return add(value); }
    bool number_integer(std::int64_t value) { return add(value); }
    bool number_unsigned(std::uint64_t value) { return add(value); }
    bool number_float(double value, const std::string&) { return add(value); }
    bool string(std::string& value) { return add(std::move(value)); }
    bool binary(Json::binary_t&) { return fail("binary"); }  // does not occur in JSON

    bool start_object(std::size_t) { return open(Json::object()); }
    bool start_array(std::size_t) { return open(Json::array()); }
    bool end_object() { return close(); }
    bool end_array() { return close(); }

    bool key(std::string& name) {
        Level& level = open_.back();
        if (!level.names.insert(name).second) return fail(fmt::format("{}: given twice", name));
        if (level.names.size() > limits_.members) return fail(fmt::format("more than {} members", limits_.members));
        name_ = std::move(name);
        return true;
    }

    bool parse_error(std::size_t, const std::string&, const Json::exception& error) {
        const std::string what = error.what();  // without the leading "[json.exception...] "
        return fail(what.substr(std::min(what.size(), what.find("] ") + 2)));
    }

  private:
    struct Level {
        Json* json;  ///< stays in place: its parent gets no member until it is closed
        std::set<std::string> names;
    };

    bool fail(std::string reason) {
        error_ = std::move(reason);
        return false;
    }

    Json& place(Json value) {
        if (open_.empty()) return root_ = std::move(value);
        Json& parent = *open_.back().json;
        if (parent.is_array()) {
            parent.push_back(std::move(value));
            return parent.back();
        }
        return parent.get_ref<Json::object_t&>().emplace_back(std::move(name_), std::move(value)).second;
    }
    bool add(Json value) {
        place(std::move(value));
        return true;
    }
    bool open(Json empty) {
        if (open_.size() == limits_.depth) return fail(fmt::format("more than {} levels", limits_.depth));
        open_.push_back({.json = &place(std::move(empty)), .names = {}});
        return true;
    }
    bool close() {
        open_.pop_back();
        return true;
    }

    JsonLimits limits_;
    Json root_;
    std::vector<Level> open_;
    std::string name_;  ///< of the next value
    std::string error_;
};

}  // namespace

std::expected<Json, std::string> parse_json(std::string_view text, JsonLimits limits) {
    Builder builder(limits);
    if (!Json::sax_parse(text, &builder)) return std::unexpected(builder.error());
    return builder.take();
}

}  // namespace ringpost::apps
