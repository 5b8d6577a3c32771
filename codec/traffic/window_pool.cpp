#include "codec/traffic/window_pool.hpp"

#include "codec/base/check.hpp"

namespace ringpost::traffic {

using limits::load_wide_windows;
constexpr std::uint32_t narrow_windows = limits::load_streams_max - load_wide_windows;

WindowPool::WindowPool() : memory_(load_wide_windows * wide_words + narrow_windows * narrow_words) {
    free_wide_.reserve(load_wide_windows);
    free_narrow_.reserve(narrow_windows);
}

WindowPool::Lease WindowPool::lease() {
    auto& freed = free_wide_.empty() && used_ >= load_wide_windows ? free_narrow_ : free_wide_;
    if (freed.empty()) {
        RINGPOST_CHECK(used_ < limits::load_streams_max);
        return {*this, used_++};
    }
    const std::uint32_t index = freed.back();
    freed.pop_back();
    return {*this, index};
}

void WindowPool::free(std::uint32_t index) { (index < load_wide_windows ? free_wide_ : free_narrow_).push_back(index); }

std::span<std::uint64_t> WindowPool::words(std::uint32_t index) {
    if (index < load_wide_windows) return {&memory_[index * wide_words], wide_words};
    return {&memory_[load_wide_windows * wide_words + (index - load_wide_windows) * narrow_words], narrow_words};
}

}  // namespace ringpost::traffic
