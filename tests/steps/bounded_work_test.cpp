// Whatever a peer or a file can make long is decoded in time linear in its size: twice the size takes at most two and a
// half times the steps. Each case is the input that is worst for its decoder, as far as that is known.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include <ringpost/structs/format.hpp>
#include <ringpost/structs/library.hpp>
#include "apps/cli/json.hpp"
#include "apps/cli/printable.hpp"
#include "apps/cli/report.hpp"
#include "apps/cli/text_lines.hpp"
#include "apps/commands/struct_library.hpp"
#include "apps/runs/reader.hpp"
#include "codec/beacon/frame.hpp"
#include "codec/confirmed/frame.hpp"
#include "codec/crypto/keys.hpp"
#include "codec/devices/advert.hpp"
#include "codec/devices/frame.hpp"
#include "codec/gtudp/frame.hpp"
#include "codec/measure/histogram_log.hpp"
#include "codec/structs/scanner.hpp"
#include "codec/traffic/answers.hpp"
#include "codec/traffic/capture.hpp"
#include "codec/traffic/frame.hpp"
#include "codec/traffic/payload.hpp"
#include "codec/traffic/scenario.hpp"
#include "tests/steps/steps.hpp"

namespace ringpost::test {
namespace {

using Decode = std::function<void()>;

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string repeated(std::string_view text, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += text;
    return out;
}

/// {"m0": 0, "m1": 1, ...}
std::string object_of(std::size_t members) {
    std::string out = "{";
    for (std::size_t i = 0; i < members; ++i)
        out += (i > 0 ? ",\"m" : "\"m") + std::to_string(i) + "\":" + std::to_string(i);
    return out + "}";
}

std::uint64_t steps_of(const Decode& decode) {
    const Steps steps;
    decode();
    return steps.count();
}

/// make(n) prepares an input n units long, which is not counted, and returns what decodes it.
template <class Make>
void expect_linear(const char* what, std::size_t size, const Make& make) {
    const Decode once = make(size), twice = make(2 * size);
    once();  // what happens the first time only, such as static variables, is not the decoder's
    const std::uint64_t first = steps_of(once), second = steps_of(twice);
    EXPECT_GT(first, 10u) << what << ": is not counted";
    EXPECT_LE(2 * second, 5 * first) << what << ": " << first << " steps, with twice the size " << second;
}

TEST(Steps, are_the_same_each_time_and_show_what_is_quadratic) {
    const auto quadratic = [](std::size_t size) -> Decode {
        return [text = object_of(size)] { EXPECT_FALSE(apps::Json::parse(text, nullptr, false).is_discarded()); };
    };
    const std::uint64_t first = steps_of(quadratic(1'000));
    EXPECT_EQ(steps_of(quadratic(1'000)), first);
    EXPECT_GT(2 * steps_of(quadratic(2'000)), 5 * first) << "an ordered object is searched for each member";
}

TEST(BoundedWork, confirmed_messages) {
    const auto frame = [](const std::string& message) -> Decode {
        return [text = "{\"message\":" + message + ",\"status\":null}"] {
            const auto decoded = confirmed::decode(bytes_of(text));
            ASSERT_TRUE(decoded);
            EXPECT_FALSE(decoded->message.json().empty());
        };
    };
    expect_linear("members", 1'000, [&](std::size_t size) { return frame(object_of(size)); });
    expect_linear("elements", 2'000, [&](std::size_t size) { return frame("[" + repeated("[],", size) + "0]"); });
    expect_linear("escapes", 2'000,
                  [&](std::size_t size) { return frame("\"" + repeated("\\u0001\\\\", size) + "\""); });
    expect_linear("digits", 4'000, [&](std::size_t size) { return frame("1." + repeated("7", size)); });
}

TEST(BoundedWork, printing_of_confirmed_messages) {
    std::ostringstream out;
    apps::Report report(apps::Report::Form::silent);
    report.copy_events(&out);
    expect_linear("members", 1'000, [&](std::size_t size) -> Decode {
        return [&, text = "{\"message\":" + object_of(size) + ",\"status\":null}"] {
            const auto decoded = confirmed::decode(bytes_of(text));
            report.event("message", {{"message", nullptr}, {"source", "192.0.2.1:5005"}}, "message",
                         decoded->message.json());
        };
    });
    EXPECT_EQ(apps::Json::parse(out.str().substr(0, out.str().find('\n')))["message"].size(), 1'000u);
}

TEST(BoundedWork, escapes_of_what_is_printed) {
    for (const std::string_view unit : {"a", "\\", "\x1b", "\xff", "\xe2\x80\xa8"})
        expect_linear("text", 2'000, [&](std::size_t size) -> Decode {
            return [text = repeated(unit, size)] { apps::printable(text), apps::printable_json(text); };
        });
}

TEST(BoundedWork, named_devices) {
    for (const std::string_view unit : {"x", ":", ":,", ":,:"})
        expect_linear("frames", 5'000, [&](std::size_t size) -> Decode {
            return [text = "MeSsAgE:,:" + repeated(unit, size)] { (void)devices::decode_frame(text); };
        });
    // Pieces of one byte; the terminator never comes.
    for (const char byte : {'x', devices::terminator[0]})
        expect_linear("pieces", 5'000, [&](std::size_t size) -> Decode {
            return [size, byte] {
                devices::Splitter splitter;
                for (std::size_t i = 0; i < size; ++i) {
                    splitter.append(std::as_bytes(std::span(&byte, 1)));
                    EXPECT_FALSE(splitter.front());
                }
            };
        });
    expect_linear("many frames", 2'000, [](std::size_t size) -> Decode {
        return [text = repeated(std::string("x") + std::string(devices::terminator), size)] {
            devices::Splitter splitter;
            splitter.append(bytes_of(text));
            while (splitter.front()) splitter.pop();
        };
    });
    expect_linear("adverts", 100, [](std::size_t size) -> Decode {
        return [text = "hello:,:" + std::string(size, 'n')] { (void)devices::decode_advert(bytes_of(text)); };
    });
}

TEST(BoundedWork, struct_messages) {
    // Packets in packets: each has a size that reaches the end, and a wrong check byte.
    for (const std::size_t gap : {0, 1, 8})
        expect_linear("packets in packets", 4'000, [&](std::size_t size) -> Decode {
            std::vector<std::byte> bytes(size);
            // From the last to the first, because the check byte covers those inside.
            const std::size_t unit = structs::header_bytes + gap;
            for (std::size_t at = size / unit * unit; at >= unit;) {
                at -= unit;
                const auto payload = std::span<const std::byte>(bytes).subspan(at + structs::header_bytes);
                structs::write_header(&bytes[at], 1, payload.size(), structs::xor_of(payload) ^ std::byte{1});
            }
            return [bytes, unit] {
                structs::Scanner scanner(bytes);
                std::size_t failures = 0;
                while (const auto found = scanner.next()) failures += found->packet ? 0 : 1;
                EXPECT_GE(failures, bytes.size() / unit);
            };
        });
    expect_linear("formats", 100, [](std::size_t size) -> Decode {
        return [text = "<" + repeated("HB", size)] { (void)structs::Format::parse(text); };
    });
}

TEST(BoundedWork, other_datagrams) {
    expect_linear("beacon", 5'000, [](std::size_t size) -> Decode {
        std::string text(beacon::header_bytes + size, '\0');
        const std::string quote(size, 'q');
        beacon::encode({.unix_s = 1, .ipv4 = {}, .port = 1, .quote = quote}, std::as_writable_bytes(std::span(text)));
        return [text] { EXPECT_TRUE(beacon::decode(bytes_of(text))); };
    });
    expect_linear("frame of load", 8'000, [](std::size_t size) -> Decode {
        return [text = std::string(size, 'x')] { (void)traffic::decode(bytes_of(text)); };
    });
    expect_linear("nested VLAN tags", 5'000, [](std::size_t size) -> Decode {
        return [text = std::string(12, '\0') + repeated(std::string_view("\x81\x00\x00\x01", 4), size)] {
            EXPECT_FALSE(traffic::udp_datagram(traffic::Link::ethernet, bytes_of(text)));
        };
    });
    // The text is almost there at each byte.
    expect_linear("--expect-text", 8'000, [](std::size_t size) -> Decode {
        traffic::Expectation expectation;
        const std::string text = std::string(size / 8, 'a') + "b";
        expectation.texts.emplace_back(bytes_of(text).begin(), bytes_of(text).end());
        return [check = traffic::AnswerCheck::expected(expectation), reply = std::string(size, 'a')] {
            EXPECT_TRUE(check.inspect(bytes_of(reply)));
        };
    });
    expect_linear("memcached", 5'000, [](std::size_t size) -> Decode {
        const std::string key(size, 'k');
        return [check = traffic::AnswerCheck::memcached_get(key),
                reply = std::string("\0\1\0\0\0\1\0\0VALUE ", 14) + key + " 0 1"] { check.inspect(bytes_of(reply)); };
    });
}

/// A file or directory of one test.
struct Files : testing::Test {
    std::filesystem::path base = std::filesystem::path(testing::TempDir()) / ("work" + std::to_string(getpid()));

    Files() { std::filesystem::create_directories(base); }
    ~Files() override { std::filesystem::remove_all(base); }

    std::string written(const std::string& name, const std::string& text) const {
        std::filesystem::create_directories((base / name).parent_path());
        std::ofstream(base / name, std::ios::binary) << text;
        return base / name;
    }
};

TEST_F(Files, have_bounded_work) {
    expect_linear("allow list", 500, [](std::size_t size) -> Decode {
        std::string text;
        for (std::size_t i = 0; i < size; ++i) {
            crypto::Key key{};
            store_be(key.data(), static_cast<std::uint32_t>(i));
            text += crypto::key_text(key) + " peer-with-a-long-common-name-" + std::to_string(i) + " 5k\n";
        }
        return [text, size] { EXPECT_EQ(crypto::parse_allow_list(text)->size(), size); };
    });
    expect_linear("comments of a key file", 5'000, [](std::size_t size) -> Decode {
        return [text = repeated(" #\n", size)] { EXPECT_FALSE(crypto::parse_key(text)); };
    });
    expect_linear("JSON", 500, [](std::size_t size) -> Decode {
        return [text = object_of(size)] { EXPECT_TRUE(apps::parse_json(text)); };
    });
    EXPECT_FALSE(apps::parse_json(object_of(2'000)));
    EXPECT_FALSE(apps::parse_json(repeated("[", 100'000)));
    expect_linear("struct library", 500, [&](std::size_t size) -> Decode {
        std::string text = "{";
        for (std::size_t i = 0; i < size; ++i)
            text += (i > 0 ? ",\"message" : "\"message") + std::to_string(i) + "\":{\"id\":" + std::to_string(i) +
                    ",\"format\":\"<HB\"}";
        return [path = written("library" + std::to_string(size), text + "}"), size] {
            EXPECT_EQ(apps::load_library(path).definitions().size(), size);
        };
    });
    expect_linear("run.json", 400, [&](std::size_t size) -> Decode {
        const std::string name = "run" + std::to_string(size), object = object_of(size);
        written(name + "/series.csv", "elapsed_s,sent\n1,5\n");
        written(name + "/run.json", R"({"format":"ringpost run 1","command":"load","configuration":)" + object +
                                        R"(,"environment":)" + object + R"(,"results":)" + object + "}");
        return [path = base / name] {
            EXPECT_EQ(apps::differences(apps::read_run(path), apps::read_run(path)).size(), 0u);
        };
    });
    expect_linear("columns of a series", 2'000, [&](std::size_t size) -> Decode {
        std::string head = "elapsed_s,sent", row = "1,5";
        for (std::size_t i = 0; i < size; ++i) head += ",c" + std::to_string(i), row += ",1";
        return
            [path = written("columns" + std::to_string(size), head + "\n" + row + "\n")] { apps::read_series(path); };
    });
    expect_linear("rows of a series", 1'000, [&](std::size_t size) -> Decode {
        std::string text = "elapsed_s,sent\n";
        for (std::size_t i = 0; i < size; ++i) text += std::to_string(i) + ",1\n";
        return [path = written("rows" + std::to_string(size), text)] { apps::read_series(path); };
    });
    expect_linear("histogram", 4'000, [](std::size_t size) -> Decode {
        Histogram histogram;
        for (std::size_t i = 0; i < size; ++i) histogram.record(static_cast<Duration>(i * i));
        std::string line = histogram_log_line({.tag = {}, .start_s = 0, .length_s = 1, .histogram = histogram});
        line.pop_back();  // its line end
        return [line] { EXPECT_TRUE(parse_histogram_log_line(line)); };
    });
    expect_linear("lines", 5'000, [](std::size_t size) -> Decode {
        return [text = repeated("a\r\n", size)] { EXPECT_TRUE(apps::text_lines(text)); };
    });
    expect_linear("payloads", 1'000, [](std::size_t size) -> Decode {
        return [text = repeated("\\x41", size)] {
            traffic::Payload payload;
            EXPECT_TRUE(payload.add_text(text));
        };
    });
    expect_linear("payloads of scenarios", 1'000, [](std::size_t size) -> Decode {
        return [text = "send \"" + repeated("{{a\\x41{session}{seq}", std::min<std::size_t>(size / 20, 120)) +
                       repeated("b{{", size) + "\""] {
            const std::string_view lines[] = {text};
            EXPECT_TRUE(traffic::Scenario::parse(lines));
        };
    });
    expect_linear("replies to scenarios", 10'000, [](std::size_t size) -> Decode {
        traffic::ScenarioTake take{.place = traffic::ScenarioTake::Place::texts,
                                   .after = {std::byte{'a'}, std::byte{'b'}},
                                   .up_to = {std::byte{'a'}, std::byte{'c'}}};
        traffic::ScenarioTake option{
            .place = traffic::ScenarioTake::Place::coap_option, .at = 65'535, .after = {}, .up_to = {}};
        const std::string coap = std::string("\x50\x45\0\0", 4) + std::string(size, '\0');
        return [take, option, coap, reply = "ab" + repeated("a", size)] {
            EXPECT_FALSE(take.find(bytes_of(reply)));
            EXPECT_TRUE(option.find(bytes_of(coap)));
        };
    });
}

}  // namespace
}  // namespace ringpost::test
