#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ringpost/export.hpp>
#include <ringpost/structs/format.hpp>
#include <ringpost/structs/frame.hpp>

namespace ringpost::structs {

/// A message type that both ends know.
struct Definition {
    MessageId id = 0;
    std::string name;
    std::string format_text;
    Format format;
};

struct LibraryError {
    enum class Kind : std::uint8_t {
        id_taken,
        name_taken,
        name_empty,
        bad_format,  ///< see `format`
        full,        ///< limits::struct_messages_max
    };
    Kind kind = Kind::id_taken;
    FormatError format;
};

/// Why a valid packet is not a message.
enum class MessageError : std::uint8_t {
    unknown_id,
    wrong_size,  ///< the payload size does not match the format of the id
};

/// The message types of a program: maps ids to names and formats, and names to ids.
class RINGPOST_API Library {
  public:
    Library();

    /// Changes nothing on error. Allocates memory.
    std::expected<void, LibraryError> add(MessageId id, std::string_view name, std::string_view format);

    /// Returns nullptr if unknown. The definition is valid as long as the library.
    const Definition* find(MessageId id) const {
        const std::uint16_t number = number_of_id_[id];
        return number == 0 ? nullptr : &definitions_[number - 1u];
    }
    const Definition* find(std::string_view name) const;

    /// Returns the definition that matches the packet's id and payload size.
    std::expected<const Definition*, MessageError> resolve(const Packet& packet) const {
        const Definition* definition = find(packet.id);
        if (definition == nullptr) return std::unexpected(MessageError::unknown_id);
        if (packet.payload.size() != definition->format.bytes()) return std::unexpected(MessageError::wrong_size);
        return definition;
    }

    /// In the order in which they were added.
    const std::deque<Definition>& definitions() const { return definitions_; }

  private:
    std::deque<Definition> definitions_;
    std::vector<std::uint16_t> number_of_id_;  ///< index into definitions_ plus 1, for every possible id; 0: none
    std::map<std::string, const Definition*, std::less<>> by_name_;
};

static_assert(limits::struct_messages_max <= UINT16_MAX, "a number each");

}  // namespace ringpost::structs
