// The ranges are sorted. A number that comes late is near the end, where the search begins.

#include "codec/native/ack_ranges.hpp"

namespace ringpost::native {

void AckRanges::append(std::uint64_t number) {
    if (size() == limits::native_ranges_kept_max) ++begin_;
    if (end_ == ranges_.size()) {
        std::copy(ranges_.begin() + static_cast<std::ptrdiff_t>(begin_), ranges_.end(), ranges_.begin());
        end_ -= begin_;
        begin_ = 0;
    }
    ranges_[end_++] = {number, number};
}

void AckRanges::add_below(std::uint64_t number) {
    // The first range, from the oldest on, that is above the number.
    std::size_t above = end_ - 1;
    while (above > begin_ && ranges_[above - 1].first > number) --above;
    const bool joins_above = ranges_[above].first == number + 1;
    const bool joins_below = above > begin_ && ranges_[above - 1].last + 1 == number;
    if (joins_above && joins_below) {
        ranges_[above - 1].last = ranges_[above].last;
        std::copy(ranges_.data() + above + 1, ranges_.data() + end_, &ranges_[above]);
        --end_;
    } else if (joins_above) {
        ranges_[above].first = number;
    } else if (joins_below) {
        ranges_[above - 1].last = number;
    } else if (size() < limits::native_ranges_kept_max && end_ < ranges_.size()) {
        std::copy_backward(&ranges_[above], ranges_.data() + end_, ranges_.data() + end_ + 1);
        ranges_[above] = {number, number};
        ++end_;
    } else if (size() < limits::native_ranges_kept_max) {
        // The array's end is reached, so there is place in front.
        std::copy(&ranges_[begin_], &ranges_[above], &ranges_[begin_ - 1]);
        --begin_;
        ranges_[above - 1] = {number, number};
    } else if (above > begin_) {
        // The oldest makes place.
        std::copy(&ranges_[begin_ + 1], &ranges_[above], &ranges_[begin_]);
        ranges_[above - 1] = {number, number};
    }
}

}  // namespace ringpost::native
