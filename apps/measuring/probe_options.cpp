#include "apps/measuring/probe_options.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "apps/cli/text_lines.hpp"
#include "apps/measuring/capture.hpp"
#include "codec/traffic/payload.hpp"
#include "codec/traffic/presets.hpp"
#include "engine/os/address.hpp"

namespace ringpost::apps {
namespace {

[[noreturn]] void refuse_probe(const std::string& where, const std::string& why) {
    throw Failure(Exit::usage, fmt::format("{}: {}", where, why));
}

/// The text, shortened if it is long; messages name the position of an error.
std::string shown(const std::string& text) {
    constexpr std::size_t shown_max = 60;
    return printable(text.size() <= shown_max ? text : text.substr(0, shown_max) + "...");
}

void must(const std::expected<void, traffic::PayloadError>& added, const std::string& where) {
    if (!added)
        refuse_probe(where, fmt::format("character {}: {}", added.error().position + 1, describe(added.error().kind)));
}

void add_lines(traffic::Payload& payload, const std::string& where, std::string_view contents) {
    const auto lines = text_lines(contents);
    if (!lines) refuse_probe(where, lines.error());
    for (std::size_t number = 1; number <= lines->size(); ++number)
        if (const std::string_view line = (*lines)[number - 1]; !line.empty())
            must(payload.add_text(line), fmt::format("{}: line {}", where, number));
    if (payload.count() == 0) refuse_probe(where, "no payload in it");
}

traffic::Payload read_payload(ProbeOptions& options) {
    traffic::Payload payload;
    if (options.text) must(payload.add_text(*options.text), "--payload " + shown(*options.text));
    if (options.hex) must(payload.add_hex(*options.hex), "--payload-hex " + shown(*options.hex));
    if (options.file) {
        const std::string where = "--payload-file " + *options.file;
        const auto contents = contents_of(*options.file);
        if (!contents) refuse_probe(where, contents.error());
        if (options.raw)
            must(payload.add_bytes(std::as_bytes(std::span(*contents))), where);
        else
            add_lines(payload, where, *contents);
    }
    if (options.pcap) options.note = read_capture(payload, "--payload-pcap " + *options.pcap, *options.pcap);
    return payload;
}

traffic::MatchRule parse_match(const std::string& text) {
    const auto rule = traffic::MatchRule::parse(text);
    if (!rule)
        throw std::invalid_argument("expected OFFSET:LEN or OFFSET:LEN@REPLY_OFFSET (1 to 8 bytes), echo or order");
    return *rule;
}

}  // namespace

void add_probes(CLI::App& command, ProbeOptions& options, CLI::Option& size) {
    CLI::Option* const sources[] = {
        command
            .add_option("--payload", options.text,
                        "payload of the probes: text with \\xNN, {seq:u16be}, {time:u64le}, {random:8} (default none)")
            ->type_name("TEXT"),
        command.add_option("--payload-hex", options.hex, "payload of the probes as hex digits (default none)")
            ->type_name("HEX"),
        command
            .add_option("--payload-file", options.file, "file with one payload per line, sent in turn (default none)")
            ->type_name("FILE"),
        command
            .add_option("--payload-pcap", options.pcap, "capture whose UDP payloads are sent in turn (default none)")
            ->type_name("FILE"),
        command
            .add_option("--preset", options.preset,
                        "payload and match for a protocol: dns:NAME[,TYPE], memcached-get:KEY, ntp (default none)")
            ->type_name("PROTOCOL")};
    command.add_flag("--payload-raw", options.raw, "use all of --payload-file as one payload")->needs(sources[2]);
    auto* match = command.add_option_function<std::string>(
        "--match",
        [&options](const std::string& text) {
            try {
                options.match = parse_match(text);
            } catch (const std::invalid_argument& reason) {
                throw CLI::ValidationError("--match " + text + ": " + reason.what());
            }
        },
        "how to match replies to probes: OFFSET:LEN[@REPLY_OFFSET] (bytes repeated in the reply), echo (the reply "
        "equals the probe), or order (of the probes; a lost reply shifts the others until its timeout of 1s) "
        "(default by --preset)");
    match->type_name("RULE");
    for (CLI::Option* source : sources) {
        source->excludes(&size);
        for (CLI::Option* other : sources)
            if (other != source) source->excludes(other);
    }
    match->excludes(sources[4]);
}

void check_probes(ProbeOptions& options) {
    if (options.preset) {
        auto preset = traffic::parse_preset(*options.preset);
        if (!preset)
            refuse_probe("--preset " + shown(*options.preset),
                         fmt::format("character {}: {}", preset.error().position + 1, preset.error().reason));
        options.dialect = std::move(preset->dialect);
        options.default_port = preset->port;
        return;
    }
    const bool payload = options.text || options.hex || options.file || options.pcap;
    if (!payload && !options.match) return;
    if (!payload)
        throw CLI::ValidationError(
            "--match needs a payload: --payload, --payload-hex, --payload-file or --payload-pcap");
    if (!options.match)
        throw CLI::ValidationError("--payload... needs --match OFFSET:LEN, --match echo or --match order");
    traffic::Payload read = read_payload(options);
    if (read.bytes_min() < options.match->probe_bytes_min())
        throw CLI::ValidationError(fmt::format("--match: bytes {} to {} lie outside a payload of {} bytes",
                                               options.match->probe_offset, options.match->probe_bytes_min() - 1,
                                               read.bytes_min()));
    options.dialect = traffic::Dialect{std::move(read), *options.match};
}

std::string size_text(const ProbeOptions& options, const traffic::Sizes& sizes) {
    if (!options.dialect) return sizes_text(sizes);
    const traffic::Payload& payload = options.dialect->payload;
    if (payload.bytes_min() == payload.bytes_max()) return fmt::format("{} B", payload.bytes_max());
    return fmt::format("{} to {} B", payload.bytes_min(), payload.bytes_max());
}

void add_match_counts(Json& counts, const traffic::Prober& prober) {
    const traffic::MatchCounters* const matched = prober.match_counts();
    if (matched == nullptr) return;
    counts.update({{"late", prober.counters().late},
                   {"surplus", prober.counters().surplus},
                   {"match_reused", matched->reused},
                   {"match_overrun", matched->overrun}});
    add_counters(counts, "match", *matched);
}

std::optional<std::string> match_text(const Json& summary) {
    if (!summary.contains("match_reused")) return std::nullopt;
    const auto count = [&](const char* name) { return grouped(summary[name].get<std::uint64_t>()); };
    std::string text =
        fmt::format("replies late {}  surplus {}  to no probe {}", count("late"), count("surplus"), count("foreign"));
    if (summary["match_reused"] > 0)
        text += fmt::format("  given up because a newer probe had the same bytes {}", count("match_reused"));
    if (summary["match_overrun"] > 0)
        text += fmt::format("  given up because too many waited {}", count("match_overrun"));
    return text;
}

}  // namespace ringpost::apps
