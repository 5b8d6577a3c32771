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

#include "codec/structs/format.hpp"
#include "codec/structs/frame.hpp"

namespace ringpost::structs {

/// One kind of message that both ends know.
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
        bad_format,  ///< `format` says why
        full,        ///< limits::struct_messages_max
    };
    Kind kind = Kind::id_taken;
    FormatError format;
};

/// Why a packet that is whole is no message.
enum class MessageError : std::uint8_t {
    unknown_id,
    wrong_size,  ///< the payload is not as long as the id's format says
};

/// The messages a program speaks: id to name and format, and back.
class Library {
  public:
    Library();

    /// Nothing changes on an error. Allocates.
    std::expected<void, LibraryError> add(MessageId id, std::string_view name, std::string_view format);

    /// Null when unknown. What is found stays where it is as long as the library lives.
    const Definition* find(MessageId id) const {
        const std::uint16_t number = number_of_id_[id];
        return number == 0 ? nullptr : &definitions_[number - 1u];
    }
    const Definition* find(std::string_view name) const;

    /// The definition that the packet's payload fits.
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
    std::vector<std::uint16_t>
        number_of_id_;  ///< index into definitions_ and 1, for every id there could be; 0 is none
    std::map<std::string, const Definition*, std::less<>> by_name_;
};

static_assert(limits::struct_messages_max <= UINT16_MAX, "a number each");

}  // namespace ringpost::structs
