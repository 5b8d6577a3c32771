// Each line is divided into words first: text in quotes belongs to one word, whatever it contains. Then the first word
// selects what reads the rest. An expect belongs to the send above it, with other expects at most in between, so at any
// time a session either sends, waits for one reply, or waits for a time. Every repeat sends by itself: a session
// without anything to send does not loop.

#include "codec/traffic/scenario.hpp"

#include <algorithm>
#include <charconv>

namespace ringpost::traffic {

std::optional<Duration> parse_scenario_time(std::string_view text) {
    struct Unit {
        std::string_view name;
        Duration ns;
    };
    static constexpr Unit units[] = {{"ns", 1},     {"us", microsecond}, {"ms", millisecond},
                                     {"s", second}, {"m", 60 * second},  {"h", 3'600 * second}};
    constexpr Duration most = 86'400 * second;
    const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    const auto* const unit = std::ranges::find(units, text.substr(digits), &Unit::name);
    const std::size_t point = std::min(text.find('.'), digits);
    if (unit == std::end(units) || point == 0) return std::nullopt;
    Duration value = 0, step = unit->ns;
    for (std::size_t i = 0; i < point; ++i) {
        value = value * 10 + (text[i] - '0') * unit->ns;
        if (value > most) return std::nullopt;
    }
    if (point < digits && point + 1 == digits) return std::nullopt;
    for (std::size_t i = point + 1; i < digits; ++i) {
        if (text[i] == '.' || step % 10 != 0) return std::nullopt;  // no more than whole nanoseconds
        step /= 10;
        value += (text[i] - '0') * step;
    }
    if (value == 0 || value > most) return std::nullopt;
    return value;
}

// ---- lines ----------------------------------------------------------------------------------------

/// Parses one scenario, line by line. After an error it is not used any more.
class ScenarioParser {
  public:
    using Kind = ScenarioStep::Kind;

    std::expected<Scenario, ScenarioError> run(std::span<const std::string_view> lines) {
        for (number_ = 1; number_ <= lines.size(); ++number_)
            if (const auto read = line(lines[number_ - 1]); !read) return std::unexpected(read.error());
        if (!open_.empty()) {
            number_ = open_.back().line;
            return std::unexpected(error("repeat", "has no end"));
        }
        number_ = 0;
        if (out_.payloads_.empty()) return std::unexpected(error("", "it sends nothing"));
        return settled();
    }

  private:
    using Done = std::expected<void, ScenarioError>;

    struct Repeat {
        std::size_t line = 0;
        std::uint16_t step = 0;
        bool sends = false;  ///< in each round
        Duration waits = 0;  ///< of one round
    };

    ScenarioError error(std::string_view word, std::string_view reason) const {
        return {number_, std::string(word), std::string(reason)};
    }
    std::unexpected<ScenarioError> refuse(std::string_view word, std::string_view reason) const {
        return std::unexpected(error(word, reason));
    }

    Done line(std::string_view text) {
        if (const auto split = divide(text); !split) return split;
        if (words_.empty()) return {};
        if (out_.steps_.size() == limits::scenario_steps_max) return refuse(words_[0], "more than 1024 steps");
        const char* const begin = words_.front().data();
        line_ = {begin, words_.back().data() + words_.back().size()};
        next_ = 1;
        if (words_[0] == "send") return send();
        if (words_[0] == "expect") return expect();
        if (words_[0] == "wait") return wait();
        if (words_[0] == "repeat") return repeat();
        if (words_[0] == "end") return end_repeat();
        return refuse(words_[0], "expected send, expect, wait, repeat or end");
    }

    /// Sets words_.
    Done divide(std::string_view text) {
        words_.clear();
        for (std::size_t at = 0; at < text.size();) {
            if (text[at] == ' ' || text[at] == '\t') {
                ++at;
                continue;
            }
            if (text[at] == '#') break;
            const std::size_t begin = at;
            bool quoted = false;
            for (; at < text.size() && (quoted || (text[at] != ' ' && text[at] != '\t')); ++at) {
                if (text[at] == '"') quoted = !quoted;
                if (quoted && text[at] == '\\') ++at;
            }
            if (quoted) return refuse(text.substr(begin), "a quote has no end");
            words_.push_back(text.substr(begin, at - begin));
        }
        return {};
    }

    bool more() const { return next_ < words_.size(); }
    /// The next word, "" behind the last.
    std::string_view peek() const { return more() ? words_[next_] : std::string_view{}; }
    std::string_view take() { return more() ? words_[next_++] : std::string_view{}; }
    Done at_end() const { return more() ? Done(refuse(peek(), "is one word too many")) : Done{}; }

    /// The text in the quotes of a word; nullopt if it is not in quotes.
    static std::optional<std::string_view> quoted(std::string_view word) {
        if (word.size() < 2 || word.front() != '"' || word.back() != '"') return std::nullopt;
        word = word.substr(1, word.size() - 2);
        for (std::size_t i = 0; i < word.size(); ++i) {
            if (word[i] == '"') return std::nullopt;
            if (word[i] == '\\') ++i;
        }
        return word;
    }

    template <class Number>
    static std::optional<Number> number(std::string_view text, std::uint64_t least, std::uint64_t most) {
        std::uint64_t value = 0;
        const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (failed != std::errc{} || end != text.data() + text.size() || value < least || value > most)
            return std::nullopt;
        return static_cast<Number>(value);
    }

    /// Hexadecimal with 0x, or decimal; 0 if it is neither.
    static std::uint64_t mask_of(std::string_view text) {
        std::uint64_t value = 0;
        const bool hex = text.starts_with("0x");
        if (hex) text.remove_prefix(2);
        const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
        return failed == std::errc{} && end == text.data() + text.size() ? value : 0;
    }

    Done add_row() {
        if (out_.rows_.size() == limits::scenario_rows_max) return refuse(words_[0], "more than 64 sends and replies");
        out_.rows_.push_back({number_, std::string(line_)});
        return {};
    }
    std::uint16_t last_row() const { return static_cast<std::uint16_t>(out_.rows_.size() - 1); }

    Done send() {
        const bool hex = peek() == "hex";
        if (hex) take();
        const std::string_view word = take();
        const auto text = quoted(word);
        if (!text) return refuse(word, "expected a payload in double quotes");
        auto payload = hex ? ScenarioPayload::from_hex(*text) : ScenarioPayload::from_text(*text, out_.variables_);
        if (!payload) return refuse(word, payload.error());
        if (const auto ended = at_end(); !ended) return ended;
        if (const auto added = add_row(); !added) return added;
        out_.steps_.push_back(
            {.kind = Kind::send, .row = last_row(), .index = static_cast<std::uint16_t>(out_.payloads_.size())});
        out_.payloads_.push_back(std::move(*payload));
        payload_words_.emplace_back(word);
        payload_lines_.push_back(number_);
        if (!open_.empty()) open_.back().sends = true;
        return {};
    }

    Done expect() {
        const bool after_send = !out_.steps_.empty() && out_.steps_.back().kind == Kind::send;
        const bool after_expect = !out_.steps_.empty() && out_.steps_.back().kind == Kind::expect;
        if (!after_send && !after_expect)
            return refuse("expect", "expected a send or another expect on the line above");
        ScenarioStep step{.kind = Kind::expect, .index = static_cast<std::uint16_t>(out_.replies_.size())};
        if (after_expect) {
            step.slot = static_cast<std::uint8_t>(out_.steps_.back().slot + 1);
            if (step.slot == limits::scenario_replies_max) return refuse("expect", "more than 4 replies to one send");
            if (const auto added = add_row(); !added) return added;
        }
        step.row = last_row();
        ScenarioReply reply;
        Expectation expectation;
        while (more()) {
            const std::string_view word = take();
            Done done;
            if (word == "within")
                done = within(step);
            else if (word == "take")
                done = take_variable(reply);
            else
                done = pattern(word, reply, expectation);
            if (!done) return done;
        }
        if (expectation.any()) reply.check = AnswerCheck::expected(std::move(expectation));
        out_.steps_.push_back(step);
        out_.replies_.push_back(std::move(reply));
        return {};
    }

    Done within(ScenarioStep& step) {
        const std::string_view word = take();
        const auto time = parse_scenario_time(word);
        if (!time) return refuse(word, time_form);
        if (step.time != 0) return refuse("within", "is there twice");
        step.time = *time;
        return {};
    }

    /// The bytes of a text without fields.
    std::expected<std::vector<std::byte>, ScenarioError> bytes_of(std::string_view word, std::string_view text) const {
        Payload payload;
        if (const auto added = payload.add_text(text); !added)
            return refuse(
                word, added.error().kind == PayloadError::Kind::empty ? "an empty text" : describe(added.error().kind));
        if (payload.has_fields()) return refuse(word, "fields such as {seq} are for send; use {{ for a brace");
        std::vector<std::byte> bytes(payload.bytes_max());
        payload.write(bytes, {});
        return bytes;
    }

    Done pattern(std::string_view word, ScenarioReply& reply, Expectation& expectation) {
        if (const auto rule = MatchRule::parse(word)) {
            if (rule->kind == MatchRule::Kind::order)
                return refuse(word, "replies belong to the session of their socket; leave it out");
            if (reply.match) return refuse(word, "is a second rule that selects the reply");
            const ScenarioPayload& sent = out_.payloads_.back();
            if (rule->probe_bytes_min() > sent.bytes_min())
                return refuse(word, "lies outside a payload of " + std::to_string(sent.bytes_min()) + " bytes");
            reply.match = *rule;
            return {};
        }
        const std::size_t quote = word.find('"');
        const auto text = quoted(word.substr(std::min(quote, word.size())));
        const std::string_view offset = word.substr(0, std::min(quote, word.size()));
        const bool placed = offset.ends_with(':');
        const auto at = number<std::size_t>(offset.substr(0, offset.size() - placed), 0, limits::datagram_bytes_max);
        if (!text || (!offset.empty() && (!placed || !at)))
            return refuse(word, "expected \"TEXT\", OFFSET:\"TEXT\", OFFSET:LEN, echo, within TIME or take NAME=PLACE");
        auto bytes = bytes_of(word, *text);
        if (!bytes) return std::unexpected(bytes.error());
        if (!placed) {
            expectation.texts.push_back(std::move(*bytes));
            return {};
        }
        if (*at + bytes->size() > limits::datagram_bytes_max)
            return refuse(word, "lies outside the 65507 bytes of a datagram");
        expectation.parts.push_back({*at, std::move(*bytes)});
        return {};
    }

    Done take_variable(ScenarioReply& reply) {
        const std::string_view word = take();
        const std::size_t equals = std::min(word.find('='), word.size());
        const std::string_view name = word.substr(0, equals);
        if (!names_variable(name) || equals == word.size())
            return refuse(word, "expected NAME=PLACE; a name has letters, digits and _, and is no field of a payload");
        ScenarioTake made;
        const std::string_view place = word.substr(equals + 1);
        std::size_t bytes_max = limits::scenario_variable_bytes_max;
        if (place == "after") {
            if (const auto read = texts(made); !read) return read;
        } else if (place.starts_with("coap:")) {
            const auto option = number<std::uint16_t>(place.substr(5), 1, UINT16_MAX);
            if (!option) return refuse(word, "expected coap:OPTION, the number of an option");
            made.place = ScenarioTake::Place::coap_option;
            made.at = *option;
        } else {
            const std::size_t colon = std::min(place.find(':'), place.size());
            const auto at = number<std::uint16_t>(place.substr(0, colon), 0, limits::datagram_bytes_max - 1);
            const auto bytes = number<std::uint8_t>(place.substr(std::min(colon + 1, place.size())), 1,
                                                    limits::scenario_variable_bytes_max);
            if (!at || !bytes)
                return refuse(word,
                              "expected NAME=OFFSET:LEN (1 to 255 bytes), NAME=after \"TEXT\" [up to \"TEXT\"] "
                              "or NAME=coap:OPTION");
            made.at = *at;
            made.bytes = *bytes;
            bytes_max = *bytes;
        }
        const auto known = find_variable(out_.variables_, name);
        if (!known && out_.variables_.size() == limits::scenario_variables_max)
            return refuse(word, "more than 16 variables");
        made.variable = known.value_or(static_cast<std::uint8_t>(out_.variables_.size()));
        if (!known) out_.variables_.push_back({std::string(name), 0});
        std::size_t& most = out_.variables_[made.variable].bytes_max;
        most = std::max(most, bytes_max);
        reply.takes.push_back(std::move(made));
        return {};
    }

    /// `"TEXT" [up to "TEXT"]`
    Done texts(ScenarioTake& made) {
        made.place = ScenarioTake::Place::texts;
        const auto read = [&](std::vector<std::byte>& into) -> Done {
            const std::string_view word = take();
            const auto text = quoted(word);
            if (!text) return refuse(word, "expected a text in double quotes");
            auto bytes = bytes_of(word, *text);
            if (!bytes) return std::unexpected(bytes.error());
            into = std::move(*bytes);
            return {};
        };
        if (const auto done = read(made.after); !done || peek() != "up") return done;
        take();
        if (const std::string_view word = take(); word != "to") return refuse(word, "expected up to \"TEXT\"");
        return read(made.up_to);
    }

    Done wait() {
        const std::string_view word = take();
        const auto time = parse_scenario_time(word);
        if (!time) return refuse(word, time_form);
        if (const auto ended = at_end(); !ended) return ended;
        out_.steps_.push_back({.kind = Kind::wait, .time = *time});
        add_wait(*time);
        return {};
    }

    void add_wait(Duration time) {
        constexpr Duration most = never / 4;
        Duration& sum = open_.empty() ? out_.waits_ : open_.back().waits;
        sum = std::min(sum, most) + std::min(time, most);
    }

    Done repeat() {
        if (open_.size() == limits::scenario_depth_max) return refuse("repeat", "more than 4 within each other");
        const std::string_view word = take();
        const auto times = number<std::uint32_t>(word, 1, limits::scenario_repeats_max);
        if (!times) return refuse(word, "expected how often, 1 to 1000000");
        ScenarioStep step{.kind = Kind::repeat, .depth = static_cast<std::uint8_t>(open_.size()), .times = *times};
        if (peek() == "while") {
            take();
            const std::string_view condition = take();
            const std::size_t mark = std::min(condition.find('&'), condition.size());
            const auto variable = find_variable(out_.variables_, condition.substr(0, mark));
            step.mask = mask_of(condition.substr(std::min(mark + 1, condition.size())));
            if (!variable || step.mask == 0)
                return refuse(condition, "expected NAME&MASK: a variable taken on a line above, and a number above 0");
            step.variable = *variable;
        }
        if (const auto ended = at_end(); !ended) return ended;
        open_.push_back({.line = number_, .step = static_cast<std::uint16_t>(out_.steps_.size())});
        out_.steps_.push_back(step);
        return {};
    }

    Done end_repeat() {
        if (const auto ended = at_end(); !ended) return ended;
        if (open_.empty()) return refuse("end", "no repeat is open");
        const Repeat closed = open_.back();
        if (!closed.sends)
            return refuse("end", "the repeat on line " + std::to_string(closed.line) + " has no send of its own");
        open_.pop_back();
        ScenarioStep& begin = out_.steps_[closed.step];
        begin.index = static_cast<std::uint16_t>(out_.steps_.size());
        ScenarioStep end = begin;
        end.kind = Kind::end;
        end.index = closed.step;
        if (!open_.empty() && begin.mask == 0) open_.back().sends = true;
        constexpr Duration most = never / 4;
        const std::uint32_t rounds = begin.mask == 0 ? begin.times : 1;
        add_wait(closed.waits > most / rounds ? most : closed.waits * rounds);
        out_.steps_.push_back(end);
        return {};
    }

    /// The sizes of datagrams depend on all lines that take a variable.
    std::expected<Scenario, ScenarioError> settled() {
        out_.bytes_min_ = SIZE_MAX;
        for (std::size_t i = 0; i < out_.payloads_.size(); ++i) {
            const std::size_t most = out_.payloads_[i].bytes_max(out_.variables_);
            number_ = payload_lines_[i];
            if (most > limits::datagram_bytes_max)
                return refuse(payload_words_[i], "may have more than the 65507 bytes of a datagram");
            out_.bytes_max_ = std::max(out_.bytes_max_, most);
            out_.bytes_min_ = std::min(out_.bytes_min_, out_.payloads_[i].bytes_min());
        }
        return std::move(out_);
    }

    static constexpr std::string_view time_form = "expected a time such as 250us, 1.5ms or 2s";

    Scenario out_;
    std::size_t number_ = 0;  ///< of the line
    std::string_view line_;   ///< from its first to its last word
    std::vector<std::string_view> words_;
    std::size_t next_ = 0;  ///< word
    std::vector<Repeat> open_;
    std::vector<std::string_view> payload_words_;
    std::vector<std::size_t> payload_lines_;
};

std::expected<Scenario, ScenarioError> Scenario::parse(std::span<const std::string_view> lines) {
    return ScenarioParser().run(lines);
}

}  // namespace ringpost::traffic
