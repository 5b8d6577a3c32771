#include "apps/measuring/payload_options.hpp"

#include <fmt/core.h>

#include <utility>

#include "apps/cli/text_lines.hpp"
#include "apps/measuring/capture.hpp"
#include "codec/traffic/payload.hpp"
#include "codec/traffic/presets.hpp"

namespace ringpost::apps {
namespace {

[[noreturn]] void refuse_payload(const std::string& where, const std::string& why) {
    throw Failure(Exit::usage, fmt::format("{}: {}", where, why));
}

/// The text, shortened if it is long; messages name the position of an error.
std::string shown(const std::string& text) {
    constexpr std::size_t shown_max = 60;
    return printable(text.size() <= shown_max ? text : text.substr(0, shown_max) + "...");
}

void must(const std::expected<void, traffic::PayloadError>& added, const std::string& where) {
    if (!added)
        refuse_payload(where,
                       fmt::format("character {}: {}", added.error().position + 1, describe(added.error().kind)));
}

void add_lines(traffic::Payload& payload, const std::string& where, std::string_view contents) {
    const auto lines = text_lines(contents);
    if (!lines) refuse_payload(where, lines.error());
    for (std::size_t number = 1; number <= lines->size(); ++number)
        if (const std::string_view line = (*lines)[number - 1]; !line.empty())
            must(payload.add_text(line), fmt::format("{}: line {}", where, number));
    if (payload.count() == 0) refuse_payload(where, "no payload in it");
}

traffic::Payload read_payload(PayloadOptions& options) {
    traffic::Payload payload;
    if (options.text) must(payload.add_text(*options.text), "--payload " + shown(*options.text));
    if (options.hex) must(payload.add_hex(*options.hex), "--payload-hex " + shown(*options.hex));
    if (options.file) {
        const std::string where = "--payload-file " + *options.file;
        const auto contents = contents_of(*options.file);
        if (!contents) refuse_payload(where, contents.error());
        if (options.raw)
            must(payload.add_bytes(std::as_bytes(std::span(*contents))), where);
        else
            add_lines(payload, where, *contents);
    }
    if (options.pcap) {
        Capture capture = read_capture(payload, "--payload-pcap " + *options.pcap, *options.pcap, options.capture);
        options.note = std::move(capture.note);
        options.recording = std::move(capture.recording);
    }
    payload.shrink();
    return payload;
}

constexpr std::string_view dns_file = "dns-file:";

/// One query a line; lines that begin with ; or # are comments.
traffic::Dialect read_dns_file(const std::string& where, const std::string& path) {
    const auto contents = contents_of(path);
    if (!contents) refuse_payload(where, contents.error());
    const auto lines = text_lines(*contents);
    if (!lines) refuse_payload(where, lines.error());
    traffic::Dialect dialect{
        .payload = {}, .match = *traffic::MatchRule::parse("0:2"), .check = traffic::AnswerCheck::dns({})};
    for (std::size_t number = 1; number <= lines->size(); ++number) {
        const std::string_view line = trimmed((*lines)[number - 1]);
        if (line.empty() || line[0] == ';' || line[0] == '#') continue;
        const auto query = traffic::parse_dns_line(line);
        if (!query)
            refuse_payload(where, fmt::format("line {}, character {}: {}", number, query.error().position + 1,
                                              query.error().reason));
        if (const auto added = dialect.payload.add_numbered(*query); !added)
            refuse_payload(where, fmt::format("line {}: {}", number, describe(added.error().kind)));
    }
    if (dialect.payload.count() == 0) refuse_payload(where, "no query in it");
    dialect.payload.shrink();
    return dialect;
}

}  // namespace

std::vector<CLI::Option*> add_payloads(CLI::App& command, PayloadOptions& options, CLI::Option& size) {
    const std::vector<CLI::Option*> sources = {
        command
            .add_option("--payload", options.text,
                        "payload: text with \\xNN, {seq}, {seq:u16be}, {time:rfc3339}, {random:8}, {pick:a|b} "
                        "(default none)")
            ->type_name("TEXT"),
        command.add_option("--payload-hex", options.hex, "payload as hex digits (default none)")->type_name("HEX"),
        command
            .add_option("--payload-file", options.file, "file with one payload per line, sent in turn (default none)")
            ->type_name("FILE"),
        command
            .add_option("--payload-pcap", options.pcap, "capture whose UDP payloads are sent in turn (default none)")
            ->type_name("FILE"),
        command
            .add_option("--preset", options.preset,
                        "payload, match and check of replies for a protocol: dns:NAME[,TYPE], dns-file:FILE, "
                        "memcached-get:KEY, "
                        "ntp, snmp-get:OID, coap-get:PATH, radius:SECRET[,USER,PASSWORD], sip-options[:URI], quic-vn, "
                        "game:a2s, statsd:NAME, syslog[:TEXT]; latency uses more --flows where its ids would repeat "
                        "(default none)")
            ->type_name("PROTOCOL")};
    command.add_flag("--payload-raw", options.raw, "use all of --payload-file as one payload")->needs(sources[2]);
    add_capture(command, options.capture, *sources[3]);
    for (CLI::Option* source : sources) {
        source->excludes(&size);
        for (CLI::Option* other : sources)
            if (other != source) source->excludes(other);
    }
    return sources;
}

traffic::Dialect read_dialect(PayloadOptions& options) {
    if (!options.preset) return {.payload = read_payload(options), .match = {}, .check = {}};
    if (options.preset->starts_with(dns_file)) {
        options.default_port = 53;
        return read_dns_file("--preset " + shown(*options.preset), options.preset->substr(dns_file.size()));
    }
    auto preset = traffic::parse_preset(*options.preset);
    if (!preset)
        refuse_payload("--preset " + shown(*options.preset),
                       fmt::format("character {}: {}", preset.error().position + 1, preset.error().reason));
    options.default_port = preset->port;
    options.replies = preset->replies;
    return std::move(preset->dialect);
}

std::string size_text(const PayloadOptions& options, const traffic::Sizes& sizes) {
    if (!options.dialect) return sizes_text(sizes);
    const traffic::Payload& payload = options.dialect->payload;
    if (payload.bytes_min() == payload.bytes_max()) return fmt::format("{} B", payload.bytes_max());
    return fmt::format("{} to {} B", payload.bytes_min(), payload.bytes_max());
}

double mean_bytes(const PayloadOptions& options, const traffic::Sizes& sizes) {
    return options.dialect ? options.dialect->payload.bytes_mean() : sizes.mean();
}

}  // namespace ringpost::apps
