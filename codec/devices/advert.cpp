#include "codec/devices/advert.hpp"

#include <cstring>

#include "codec/base/check.hpp"
#include "codec/base/utf8.hpp"
#include "codec/devices/frame.hpp"

namespace ringpost::devices {
namespace {

constexpr std::string_view hello_head = "hello:,:", alive_head = "alive:,:";
static_assert(hello_head.size() == alive_head.size());
static_assert(alive_head.size() + limits::devices_name_bytes_max == limits::devices_advert_bytes_max);

}  // namespace

std::optional<NameError> check_name(std::string_view name) {
    if (name.empty()) return NameError::empty;
    if (name.size() > limits::devices_name_bytes_max) return NameError::too_long;
    if (!can_carry(name)) return is_utf8(name) ? NameError::has_mark : NameError::not_utf8;
    if (name == ping_word || name == quit_word) return NameError::reserved;
    return std::nullopt;
}

std::expected<Advert, AdvertError> decode_advert(std::span<const std::byte> bytes) {
    if (bytes.size() > limits::devices_advert_bytes_max) return std::unexpected(AdvertError::too_long);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const bool hello = text.starts_with(hello_head);
    if (!hello && !text.starts_with(alive_head)) return std::unexpected(AdvertError::kind);
    const std::string_view name = text.substr(alive_head.size());
    if (check_name(name)) return std::unexpected(AdvertError::name);
    return Advert{hello ? AdvertKind::hello : AdvertKind::alive, name};
}

std::size_t encode_advert(const Advert& advert, std::span<std::byte> out) {
    const std::string_view head = advert.kind == AdvertKind::hello ? hello_head : alive_head;
    const std::size_t bytes = head.size() + advert.name.size();
    RINGPOST_CHECK(bytes <= limits::devices_advert_bytes_max && bytes <= out.size());
    std::memcpy(out.data(), head.data(), head.size());
    std::memcpy(&out[head.size()], advert.name.data(), advert.name.size());
    return bytes;
}

}  // namespace ringpost::devices
