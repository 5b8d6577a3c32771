#include "apps/commands/command_line.hpp"

#include <gtest/gtest.h>

#include <sstream>
#include <vector>

#include "apps/cli/usage_error.hpp"

namespace ringpost::apps {
namespace {

std::vector<std::string> split(const std::string& line) {
    std::istringstream stream(line);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
}

/// The one line that refuses the arguments, or "accepted".
std::string outcome_of(const std::vector<std::string>& arguments) {
    std::vector<const char*> pointers{"ringpost"};
    for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
    try {
        const CommandLine line = parse_command_line(static_cast<int>(pointers.size()), pointers.data(), "");
        return line.command ? "accepted" : "text";
    } catch (const Failure& failure) {
        EXPECT_EQ(failure.exit_code, Exit::usage);
        const std::string text = failure.what();
        EXPECT_EQ(text.find('\n'), std::string::npos) << text;
        EXPECT_LT(text.size(), 200u) << text;
        return text;
    }
}

TEST(CommandLine, says_what_is_wrong_with_options_and_subcommands) {
    const struct {
        const char *line, *text;
    } rows[] = {
        {"--bogus", "--bogus: no such option; see ringpost --help"},
        {"--versoin", "--versoin: no such option; did you mean --version?"},
        {"lod", "lod: no such subcommand; did you mean load?"},
        {"laod --self", "laod: no such subcommand; did you mean load?"},
        {"lat", "lat: no such subcommand; did you mean latency?"},
        {"lod --help", "lod: no such subcommand; did you mean load?"},
        {"help lod", "lod: no such subcommand; did you mean load?"},
        {"help message snd", "snd: no such subcommand; did you mean send?"},
        {"iperf", "iperf: no such subcommand; see ringpost --help"},
        {"message snd", "snd: no such subcommand; did you mean send?"},
        {"message", "a subcommand is required: send, listen, chat; see ringpost message --help"},
        {"struct", "a subcommand is required: listen, send; see ringpost struct --help"},
        {"--json load --self", "--json: give it as an option of the subcommand: ringpost load --json"},
        {"load -- --self", "--self: give it as an option of the subcommand: ringpost load --self"},
        {"load --self --duratoin 1s", "--duratoin: no such option; did you mean --duration?"},
        {"load --self --duratoin=1s", "--duratoin: no such option; did you mean --duration?"},
        {"load --rat 5", "--rat: no such option; did you mean --rate?"},
        {"load --Rate 5", "--Rate: no such option; did you mean --rate?"},
        {"load -rate 5", "-rate: no such option; did you mean --rate?"},
        {"load --self --frobnicate", "--frobnicate: no such option; see ringpost load --help"},
        {"load -x", "-x: no such option; see ringpost load --help"},
        {"message send --sttaus ok", "--sttaus: no such option; did you mean --status?"},
        {"sink --prot 5", "--prot: no such option; did you mean --port?"},
        {"sink --port 0 extra", "extra: unexpected argument; see ringpost sink --help"},
        {"send --to a:1 b c", "c: unexpected argument; see ringpost send --help"},
        {"load --self --duration", "--duration: needs a value, TIME"},
        {"load --to", "--to: needs a value, HOST:PORT"},
        {"load --rate=", "--rate: needs a value, RATE"},
        {"load --self --rate 1 --rate 2", "--rate: given more than once"},
        {"latency --self --count 1 --count 1 --count 1", "--count: given more than once"},
        {"load --to 127.0.0.1:1 --to 127.0.0.1:2", "--to: given more than once"},
        {"load --self --self --json --json", "accepted"},
        {"latency --self=x", "--self: takes no value"},
        {"latency --self --json=x", "--json: takes no value"},
        {"load --self --no-verify=maybe", "--no-verify: takes no value"},
        {"sink", "--port is required"},
        {"latency --self --rate 5 --ping-pong", "--rate: not with --ping-pong"},
        {"latency --self --payload-raw", "--payload-raw: needs --payload-file"},
        {"load --self --backend kqueue", "--backend kqueue: one of auto, mmsg, uring"},
        {"help", "text"},
        {"help load", "text"},
        {"help help", "text"},
    };
    for (const auto& [line, text] : rows) EXPECT_EQ(outcome_of(split(line)), text) << line;
    EXPECT_TRUE(outcome_of({}).starts_with("a subcommand is required: load, sink, ")) << outcome_of({});
}

TEST(CommandLine, every_subcommand_refuses_an_unknown_option) {
    for (const std::string& name : subcommand_names()) {
        std::vector<std::string> line{name};
        if (name == "message" || name == "struct") line.emplace_back("send");
        std::string path = name + (line.size() > 1 ? " send" : "");
        line.emplace_back("--bogus");
        EXPECT_EQ(outcome_of(line), "--bogus: no such option; see ringpost " + path + " --help");
    }
}

constexpr const char* whole = "; expected a whole number such as 10, 5k or 2M";
constexpr const char* rate = "; expected a rate per second such as 0.5, 100k or 2.5M";
constexpr const char* time_value = "; expected a time such as 250us, 20ms, 2s or 1m";
constexpr const char* share = "; expected a share such as 0.1% or 5%";
constexpr const char* bytes = "; expected bytes such as 64, 1400 or 8k";
constexpr const char* bits = "; expected bits per second such as 64kbit, 100Mbit or 1Gbit";

TEST(CommandLine, gives_the_reason_against_a_number) {
    const std::string many(400, '9');
    const struct {
        const char* command;
        std::string option, value, reason, expected;
    } rows[] = {
        // Counts
        {"latency --self", "--count", "1k", "accepted", ""},
        {"latency --self", "--count", "1K", "accepted", ""},
        {"latency --self", "--count", "1.5k", "accepted", ""},
        {"latency --self", "--count", "1.001k", "accepted", ""},
        {"latency --self", "--count", "2M", "accepted", ""},
        {"latency --self", "--count", "1G", "accepted", ""},
        {"latency --self", "--count", "1.0", "accepted", ""},
        {"latency --self", "--count", "18446744073709551615", "accepted", ""},
        {"latency --self", "--count", "18446744073709551616", "is larger than 18446744073709551615", ""},
        {"latency --self", "--count", "99999999999999999999", "is larger than 18446744073709551615", ""},
        {"latency --self", "--count", "99999999999G", "is larger than 18446744073709551615", ""},
        {"latency --self", "--count", "0", "must be at least 1", ""},
        {"latency --self", "--count", "1.5", "is not whole", whole},
        {"latency --self", "--count", "1.0001k", "is not whole", whole},
        {"latency --self", "--count", "-3", "is negative", whole},
        {"latency --self", "--count", "+3", "is not a number", whole},
        {"latency --self", "--count", "1e6", "has an exponent", whole},
        {"latency --self", "--count", "1E+6", "has an exponent", whole},
        {"latency --self", "--count", "0x10", "is hexadecimal", whole},
        {"latency --self", "--count", "ten", "is not a number", whole},
        {"latency --self", "--count", "1,000", "is not a number", whole},
        {"latency --self", "--count", "1.2.3", "is not a number", whole},
        {"latency --self", "--count", ".", "is not a number", whole},
        {"latency --self", "--count", "10%", "has an unknown unit", whole},
        {"latency --self", "--count", "5T", "has an unknown unit", whole},
        {"latency --self", "--count", "k", "is not a number", whole},
        {"latency --self", "--count", "nan", "is not a number", whole},
        {"latency --self", "--count", "inf", "is not a number", whole},
        {"latency --self", "--count", "10 k", "has a space in it", whole},
        {"latency --self", "--count", " 10", "has a space in it", whole},
        {"latency --self", "--count", "", "is empty", whole},
        {"latency --self", "--window", "1k", "accepted", ""},
        {"latency --self", "--window", "0", "must be 1 to 65536", ""},
        {"latency --self", "--window", "66k", "is larger than 65536", ""},
        {"latency --self", "--repeat", "0", "must be at least 1", ""},
        {"load --self --transport gtudp", "--window", "1k", "accepted", ""},
        {"load --self --transport gtudp", "--window", "10M", "is larger than 65536", ""},
        {"load --self --transport gtudp", "--sends", "1k", "is larger than 255", ""},
        {"load --self --transport gtudp", "--recv-sends", "0", "must be 1 to 255", ""},
        {"load --self --transport gtudp", "--patience", "0", "accepted", ""},
        {"load --self --transport gtudp", "--patience", "2h", "is longer than 1h", ""},
        {"load --self", "--flows", "1k", "accepted", ""},
        {"load --self", "--flows", "65537", "is larger than 65536", ""},
        {"load --self", "--threads", "1k", "is larger than 256", ""},
        {"load --self", "--threads", "0", "must be 1 to 256", ""},
        {"load --self --rate 5", "--burst", "1k", "accepted", ""},
        {"load --self --rate 5", "--burst", "2M", "is larger than 1000000", ""},
        {"load --self --rate 5 --arrivals poisson", "--seed", "1k", "accepted", ""},
        {"load --self --rate 5 --arrivals poisson", "--seed", "-1", "is negative", whole},
        {"load --to 239.1.2.3:7", "--ttl", "256", "is larger than 255", ""},
        {"load --to 239.1.2.3:7", "--ttl", "0", "must be 1 to 255", ""},
        {"recv --port 0", "--count", "1k", "accepted", ""},
        {"beacon --to 127.0.0.1:9", "--count", "1k", "accepted", ""},
        {"compare a b", "--seed", "1e6", "has an exponent", whole},
        {"relay --listen 0 --to a:1", "--burst-loss", "1%,5G", "is larger than 4294967295", ""},
        {"relay --listen 0 --to a:1", "--burst-loss", "1%,2k", "accepted", ""},
        {"relay --listen 0 --to a:1", "--burst-loss", "1%", "expected a share and a length such as 0.1%,20", ""},
        // Ports
        {"sink", "--port", "65535", "accepted", ""},
        {"sink", "--port", "65536", "is larger than 65535", ""},
        {"sink", "--port", "7k", "is not a port", "; expected 0 to 65535"},
        {"sink", "--port", "-1", "is not a port", "; expected 0 to 65535"},
        {"sink", "--port", "http", "is not a port", "; expected 0 to 65535"},
        {"sink", "--port", "99999999999999999999", "is larger than 65535", ""},
        {"node --name a", "--tcp-port", "7.0", "is not a port", "; expected 0 to 65535"},
        // Sizes
        {"load --self", "--size", "63k", "accepted", ""},
        {"load --self", "--size", "65507", "accepted", ""},
        {"load --self", "--size", "65508", "a datagram carries at most 65507 bytes", ""},
        {"load --self", "--size", "64k", "a datagram carries at most 65507 bytes", ""},
        {"load --self", "--size", "1G", "a datagram carries at most 65507 bytes", ""},
        {"load --self", "--size", many, "a datagram carries at most 65507 bytes", ""},
        {"load --self", "--size", "0", "a datagram carries at least 1 byte", ""},
        {"load --self", "--size", "100.5", "is not a whole number of bytes", ""},
        {"load --self", "--size", "1.5k", "accepted", ""},
        {"load --self", "--size", "64B", "has an unknown unit", bytes},
        {"load --self", "--size", "-64", "is negative", bytes},
        {"load --self", "--size", "1e3", "has an exponent", bytes},
        {"load --self", "--size", "64..70000", "a datagram carries at most 65507 bytes", ""},
        {"load --self", "--size", "1400..64", "the range ends before it begins", ""},
        {"load --self", "--size", "64:1,128:2M", "is larger than 1000000", ""},
        {"load --self", "--size", "64:1,128:1k", "accepted", ""},
        {"latency --self", "--size", "23", "a probe needs at least 24 bytes", ""},
        // Rates
        {"load --self", "--rate", "max", "accepted", ""},
        {"load --self", "--rate", "1G", "accepted", ""},
        {"load --self", "--rate", "1Gbit", "accepted", ""},
        {"latency --self", "--rate", "64kbit", "accepted", ""},
        {"load --self", "--rate", "1Tbit", "has an unknown unit",
         "; expected bits per second such as 64kbit, 100Mbit or 1Gbit"},
        {"load --self", "--dscp", "63", "accepted", ""},
        {"load --self", "--dscp", "ef", "accepted", ""},
        {"load --self", "--dscp", "64", "is larger than 63", ""},
        {"load --self", "--dscp", "EF", "expected 0 to 63, or a name such as ef, af41 or cs1", ""},
        {"latency --self", "--sndbuf", "8M", "accepted", ""},
        {"latency --self", "--rcvbuf", "2G", "is more than 1G", ""},
        {"latency --self", "--rcvbuf", "0", "is less than 1 byte", ""},
        {"latency --self", "--busy-poll", "2s", "expected 1us to 1s", ""},
        {"load --self", "--bind", "127.0.0.1", "accepted", ""},
        {"load --self", "--bind", "127.0.0.1%lo", "accepted", ""},
        {"load --self", "--bind", "127.0.0.1:5000%", "the interface is missing", ""},
        {"load --self", "--bind", "127.0.0.1%nosuch0", "no interface has this name", ""},
        {"load --self --flows 2", "--bind", "127.0.0.1:5000", "2 flows need a port each", ""},
        {"load --self", "--rate", "0.001", "accepted", ""},
        {"load --self", "--rate", "2G", "is more than 1G per second", ""},
        {"load --self", "--rate", many, "is more than 1G per second", ""},
        {"load --self", "--rate", "0", "is less than 0.001 per second", ""},
        {"load --self", "--rate", "0." + many, "accepted", ""},
        {"load --self", "--rate", "0." + std::string(400, '0') + "1", "is less than 0.001 per second", ""},
        {"load --self", "--rate", "1e400", "has an exponent", rate},
        {"load --self", "--rate", "5/s", "is not a number", rate},
        {"load --self", "--rate", "5pps", "has an unknown unit", rate},
        {"load --self", "--rate", "NaN", "is not a number", rate},
        {"load --self", "--rate", "infinity", "is not a number", rate},
        {"latency --self", "--rate", "max", "is not a number", rate},
        {"latency --self", "--rate", "1/3", "is not a number", rate},
        // Times
        {"load --self", "--duration", "1.5ms", "accepted", ""},
        {"load --self", "--duration", "5", "has no unit", time_value},
        {"load --self", "--duration", "0", "has no unit", time_value},
        {"load --self", "--duration", "0s", "is less than 1ns", ""},
        {"load --self", "--duration", "0.5ns", "is less than 1ns", ""},
        {"load --self", "--duration", "99999999h", "is more than 30 years", ""},
        {"load --self", "--duration", many + "s", "is more than 30 years", ""},
        {"load --self", "--duration", "5x", "has an unknown unit", time_value},
        {"load --self", "--duration", "1d", "has an unknown unit", time_value},
        {"load --self", "--duration", "5 s", "has a space in it", time_value},
        {"load --self", "--duration", "-1s", "is negative", time_value},
        {"load --self", "--duration", "1e3s", "has an unknown unit", time_value},
        {"load --self", "--duration", "forever", "is not a number", time_value},
        {"latency --self", "--warmup", "0s", "accepted", ""},
        {"latency --self", "--warmup", "0", "accepted", ""},
        {"relay --listen 0 --to a:1", "--delay", "0ms", "accepted", ""},
        {"relay --listen 0 --to a:1", "--jitter", "1", "has no unit", time_value},
        {"relay --listen 0 --to a:1", "--blackhole", "1s", "expected two times such as 200ms,1s", ""},
        {"beacon --to 127.0.0.1:9", "--every", "1ms", "the period must be at least 10ms", ""},
        // Shares and bit rates
        {"relay --listen 0 --to a:1", "--loss", "100%", "accepted", ""},
        {"relay --listen 0 --to a:1", "--loss", "0%", "accepted", ""},
        {"relay --listen 0 --to a:1", "--loss", "150%", "is more than 100%", ""},
        {"relay --listen 0 --to a:1", "--loss", "-1%", "is negative", share},
        {"relay --listen 0 --to a:1", "--loss", "1/3", "is not a number", share},
        {"relay --listen 0 --to a:1", "--loss", "0.5", "has no unit", share},
        {"relay --listen 0 --to a:1", "--loss", "5 %", "has a space in it", share},
        {"relay --listen 0 --to a:1", "--loss", "%", "is not a number", share},
        {"relay --listen 0 --to a:1", "--loss", "5%%", "is not a number", share},
        {"compare a b", "--tolerance", "nan%", "is not a number", share},
        {"relay --listen 0 --to a:1", "--rate", "1Mbit", "accepted", ""},
        {"relay --listen 0 --to a:1", "--rate", "1M", "has an unknown unit", bits},
        {"relay --listen 0 --to a:1", "--rate", "1", "has no unit", bits},
        {"relay --listen 0 --to a:1", "--rate", "0bit", "is less than 1bit per second", ""},
        {"relay --listen 0 --to a:1", "--rate", "2000Gbit", "is more than 1000Gbit per second", ""},
    };
    for (const auto& [command, option, value, reason, expected] : rows) {
        std::vector<std::string> words = split(command);
        words.push_back(option + "=" + value);
        if (value.empty() || value[0] == ' ') {
            words.back() = option;
            words.push_back(value);
        }
        const std::string shown = value.size() > 60                                       ? value.substr(0, 60) + "..."
                                  : value.empty() || value.find(' ') != std::string::npos ? '"' + value + '"'
                                                                                          : value;
        const std::string text = reason == "accepted" ? reason : option + " " + shown + ": " + reason + expected;
        EXPECT_EQ(outcome_of(words), text) << command;
    }
}

TEST(CommandLine, messages_have_no_control_characters) {
    EXPECT_EQ(outcome_of({"load", "--rate", "\x1b[31m"}), std::string("--rate \\x1b[31m: is not a number") + rate);
    EXPECT_EQ(outcome_of({"load", "--\n"}), "--\\x0a: no such option; see ringpost load --help");
    EXPECT_EQ(outcome_of({"a b"}), "\"a b\": no such subcommand; see ringpost --help");
}

TEST(NearestName, is_a_prefix_or_an_edit_away) {
    const std::vector<std::string> names{"--rate", "--duration", "--repeat", "--to"};
    EXPECT_EQ(nearest_name("--dur", names), "--duration");
    EXPECT_EQ(nearest_name("--raet", names), "--rate");
    EXPECT_EQ(nearest_name("--rte", names), "--rate");
    EXPECT_EQ(nearest_name("--reapeat", names), "--repeat");
    EXPECT_EQ(nearest_name("--durration", names), "--duration");
    EXPECT_EQ(nearest_name("--x", names), "");
    EXPECT_EQ(nearest_name("--nothing", names), "");
    EXPECT_EQ(nearest_name("", names), "");
}

}  // namespace
}  // namespace ringpost::apps
