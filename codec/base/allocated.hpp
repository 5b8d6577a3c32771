#pragma once

#include <cstdlib>
#include <new>

namespace ringpost {

/// What `allocate` returns. While that is null, calls the new handler (std::set_new_handler) and repeats, as `new`
/// does; aborts without a handler.
template <class Allocate>
auto allocated(const Allocate& allocate) {
    while (true) {
        if (auto* const made = allocate()) return made;
        const std::new_handler handler = std::get_new_handler();
        if (handler == nullptr) std::abort();
        handler();
    }
}

}  // namespace ringpost
