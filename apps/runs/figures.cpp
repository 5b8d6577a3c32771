#include "apps/runs/figures.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace ringpost::apps {

namespace derived {

std::int64_t datagrams_moved(const RunShape& shape, const Snapshot& snapshot) {
    return static_cast<std::int64_t>(shape.sends ? snapshot.sent : snapshot.received);
}
std::int64_t lost_send_queue(const RunShape& shape, const Snapshot& snapshot) {
    return static_cast<std::int64_t>(loss_places(shape, snapshot).send_queue);
}
std::int64_t lost_receive_buffer(const RunShape& shape, const Snapshot& snapshot) {
    return static_cast<std::int64_t>(loss_places(shape, snapshot).receive_buffer);
}
std::int64_t lost_path(const RunShape& shape, const Snapshot& snapshot) {
    return static_cast<std::int64_t>(loss_places(shape, snapshot).path);
}

}  // namespace derived

namespace {

Json percentile_us(const Snapshot& snapshot, double percent) {
    if (snapshot.histograms.empty() || snapshot.histograms.front().count() == 0) return nullptr;
    return static_cast<double>(snapshot.histograms.front().percentile(percent)) / 1e3;
}

/// Of everything that a snapshot covers.
Json value_of(const Figure& figure, const RunShape& shape, const Snapshot& snapshot) {
    Json value = std::visit(
        [&](auto source) -> Json {
            if constexpr (std::is_same_v<decltype(source), double>)
                return percentile_us(snapshot, source);
            else if constexpr (std::is_same_v<decltype(source), Derived>)
                return source(shape, snapshot);
            else
                return member_of(snapshot, source);
        },
        figure.source);
    if (figure.kind != Kind::rate) return value;
    return (figure.unit == Unit::percent ? 100 : 1) * ratio(value.get<double>(), snapshot.elapsed_s);
}

/// An unknown or unmeasured value is an empty field.
std::string field_text(const Figure& figure, const Json& value) {
    if (value.is_null()) return "";
    if (!value.is_number_float()) return value.dump();
    const int decimals = figure.unit == Unit::seconds ? 6 : figure.unit == Unit::percent ? 2 : 3;
    return fmt::format("{:.{}f}", value.get<double>(), decimals);
}

void put(Json& object, const Figure& figure, const RunShape& shape, Json value) {
    const JsonPlace place = json_place(figure, shape);
    (place.object.empty() ? object : object[place.object])[place.member] = std::move(value);
}

}  // namespace

bool is_known(const Figure& figure, const RunShape& shape, When when) {
    switch (figure.known) {
        case Known::always: return true;
        case Known::sending: return shape.sends;
        case Known::receiving: return shape.receives;
        case Known::connected: return shape.connected;
        case Known::verifying: return shape.receives && (shape.verifies || when == When::ended);
    }
    return false;
}

Json total_of(const Figure& figure, const RunShape& shape, const Snapshot& now) {
    const Json value = value_of(figure, shape, now);
    return figure.kind == Kind::gauge && value < 0 ? Json(0) : value;
}

Json interval_of(const Figure& figure, const RunShape& shape, const Interval& interval) {
    if (figure.kind == Kind::clock) return value_of(figure, shape, interval.after);
    const auto* derived = std::get_if<Derived>(&figure.source);
    if (derived != nullptr && figure.kind != Kind::rate)
        return (*derived)(shape, interval.after) - (*derived)(shape, interval.before);
    return value_of(figure, shape, interval.between);
}

JsonPlace json_place(const Figure& figure, const RunShape& shape) {
    std::string name(figure.name);
    if (figure.kind == Kind::percentile)
        return {shape.histograms.at(0) + "_us", name.substr(0, name.size() - std::string_view("_us").size())};
    for (const auto& [prefix, object] :
         {std::pair{"lost_", "lost_in"}, std::pair{"path_", "path"}, std::pair{"connection_", "connection"}})
        if (name.starts_with(prefix)) return {object, name.substr(std::string_view(prefix).size())};
    return {"", std::move(name)};
}

Json progress_json(const RunShape& shape, const Interval& interval) {
    Json out = Json::object();
    for (const Figure& figure : figures) {
        if (!is_shown(figure, in_progress) || !is_known(figure, shape, When::running)) continue;
        if (figure.kind == Kind::percentile && shape.histograms.empty()) continue;
        const bool of_interval = figure.kind == Kind::rate || figure.kind == Kind::percentile;
        put(out, figure, shape,
            of_interval ? interval_of(figure, shape, interval) : total_of(figure, shape, interval.after));
    }
    name_both_ways(out);
    return out;
}

Json summary_json(const RunShape& shape, const Snapshot& end, When when) {
    Json out = Json::object();
    for (const Figure& figure : figures)
        if (is_shown(figure, in_summary) && is_known(figure, shape, when))
            put(out, figure, shape, total_of(figure, shape, end));
    return out;
}

void name_both_ways(Json& fields) {
    if (fields.contains("rtt_us"))
        fields["response_us"] = fields["rtt_us"];
    else if (fields.contains("response_us"))
        fields["rtt_us"] = fields["response_us"];
    // The `refused` of a load's summary is whether the peer's port is closed.
    if (!fields.contains("send_failed") && fields.contains("refused")) fields["send_failed"] = fields["refused"];
}

std::string series_head() {
    std::string out;
    for (const Figure& figure : figures)
        if (is_shown(figure, in_series)) out += (out.empty() ? "" : ",") + std::string(figure.name);
    return out;
}

std::string series_line(const RunShape& shape, const Interval& interval) {
    std::string out;
    for (const Figure& figure : figures) {
        if (!is_shown(figure, in_series)) continue;
        if (&figure != &figures[0]) out += ',';
        // A sink knows no more at its end.
        if (is_known(figure, shape, shape.sends ? When::ended : When::running))
            out += field_text(figure, interval_of(figure, shape, interval));
    }
    return out;
}

}  // namespace ringpost::apps
