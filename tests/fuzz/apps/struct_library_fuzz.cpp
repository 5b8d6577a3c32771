// The input is a library file. What can be read must find each of its messages by id and by name, and a payload of each
// must print, as text and as JSON.

#include <cstdint>
#include <vector>

#include "apps/commands/struct_library.hpp"
#include "apps/commands/struct_values.hpp"
#include "codec/base/limits.hpp"
#include "tests/fuzz/apps/files.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::apps_struct_library {

namespace {

void check(const structs::Library& library, std::uint8_t fill) {
    RINGPOST_CHECK(library.definitions().size() <= limits::struct_messages_max);
    for (const structs::Definition& each : library.definitions()) {
        RINGPOST_CHECK(library.find(each.id) == &each && library.find(each.name) == &each);
        RINGPOST_CHECK(each.format.bytes() <= limits::struct_payload_bytes_max);
        const std::vector<std::byte> payload(each.format.bytes(), std::byte{fill});
        const auto packet = structs::Packet{each.id, payload};
        RINGPOST_CHECK(library.resolve(packet) == &each);
        RINGPOST_CHECK(apps::values_text(each, payload).empty() == apps::values_json(each, payload).empty());
        (void)apps::values_json(each, payload).dump();
    }
}

int run(const std::uint8_t* data, std::size_t size) {
    static const fuzz::Directory directory;
    const std::string path = directory.write("library.json", fuzz::text_of(data, size));
    fuzz::reads([&] { check(apps::load_library(path), size > 0 ? data[size / 2] : 0); });
    return 0;
}

const Target registered("apps/struct_library", run);

}  // namespace
}  // namespace ringpost::fuzz::apps_struct_library
