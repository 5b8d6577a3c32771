#include <ringpost/structs/library.hpp>

#include "codec/base/limits.hpp"

namespace ringpost::structs {

Library::Library() : number_of_id_(std::size_t{UINT16_MAX} + 1) {}

std::expected<void, LibraryError> Library::add(MessageId id, std::string_view name, std::string_view format) {
    using Kind = LibraryError::Kind;
    if (name.empty()) return std::unexpected(LibraryError{Kind::name_empty, {}});
    if (find(name) != nullptr) return std::unexpected(LibraryError{Kind::name_taken, {}});
    if (find(id) != nullptr) return std::unexpected(LibraryError{Kind::id_taken, {}});
    if (definitions_.size() == limits::struct_messages_max) return std::unexpected(LibraryError{Kind::full, {}});
    const auto parsed = Format::parse(format);
    if (!parsed) return std::unexpected(LibraryError{Kind::bad_format, parsed.error()});
    definitions_.push_back({id, std::string(name), std::string(format), *parsed});
    by_name_.emplace(name, &definitions_.back());
    number_of_id_[id] = static_cast<std::uint16_t>(definitions_.size());
    return {};
}

const Definition* Library::find(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
}

}  // namespace ringpost::structs
