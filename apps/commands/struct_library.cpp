#include "apps/commands/struct_library.hpp"

#include <fmt/core.h>

#include "apps/cli/failure.hpp"
#include "apps/cli/json.hpp"
#include "apps/cli/text_lines.hpp"
#include "codec/base/limits.hpp"

namespace ringpost::apps {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
    throw Failure(Exit::usage, fmt::format("--library {}: {}", path, why));
}

std::string describe_error(const std::string& format, const structs::FormatError& error) {
    using Kind = structs::FormatError::Kind;
    std::string where = fmt::format("format \"{}\", character {}: ", format, error.position + 1);
    switch (error.kind) {
        case Kind::bad_code:
        case Kind::count_without_code: return where + structs::describe(error.kind);
        case Kind::too_large:
            return where + fmt::format("more than the {} bytes of a packet", limits::struct_payload_bytes_max);
        case Kind::too_many_runs:
            return where + fmt::format("more than {} runs of equal codes", limits::struct_runs_max);
    }
    return where;
}

std::string describe_error(const structs::Library& library, structs::MessageId id, const std::string& format,
                           const structs::LibraryError& error) {
    using Kind = structs::LibraryError::Kind;
    switch (error.kind) {
        case Kind::id_taken: return fmt::format("id {} is already used by {}", id, library.find(id)->name);
        case Kind::name_taken: return "given twice";
        case Kind::name_empty: return "a message needs a name";
        case Kind::bad_format: return describe_error(format, error.format);
        case Kind::full: return fmt::format("more than {} messages", limits::struct_messages_max);
    }
    return "";
}

/// Adds one entry; returns "" or the reason why it was refused.
std::string add(structs::Library& library, const std::string& name, const Json& entry) {
    if (!entry.is_object()) return R"(expected {"id": NUMBER, "format": TEXT})";
    for (const auto& [member, value] : entry.items())
        if (member != "id" && member != "format") return fmt::format("unknown member \"{}\"", member);
    const auto id = entry.find("id"), format = entry.find("format");
    if (id == entry.end() || !id->is_number_unsigned() || id->get<std::uint64_t>() > UINT16_MAX)
        return "\"id\" must be a whole number from 0 to 65535";
    if (format == entry.end() || !format->is_string()) return "\"format\" must be a string";
    const auto number = id->get<structs::MessageId>();
    const std::string text = format->get<std::string>();
    const auto added = library.add(number, name, text);
    return added ? "" : describe_error(library, number, text, added.error());
}

}  // namespace

structs::Library load_library(const std::string& path) {
    const auto contents = contents_of(path);
    if (!contents) refuse(path, contents.error());
    // One more than a library can have, which it then refuses itself.
    const auto file = parse_json(*contents, {.members = limits::struct_messages_max + 1});
    if (!file) refuse(path, file.error());
    if (!file->is_object()) refuse(path, "expected an object of messages by name");
    structs::Library library;
    for (const auto& [name, entry] : file->items())
        if (const std::string why = add(library, name, entry); !why.empty())
            refuse(path, fmt::format("{}: {}", name, why));
    return library;
}

}  // namespace ringpost::apps
