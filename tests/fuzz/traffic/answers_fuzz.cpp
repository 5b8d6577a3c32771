// The lowest two bits of the first byte select a check, the rest is a reply: DNS (0), NTP (1), memcached (2), or an
// expectation (3) whose offset and size are in the upper bits. A status must be a row of the check's table, and must
// not depend on what lies behind the reply.

#include "codec/traffic/answers.hpp"

#include "codec/base/check.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::traffic_answers {

using namespace ringpost::traffic;

namespace {

AnswerCheck check_of(std::uint8_t choice) {
    // The name `Ab`, type 0x4161, class 1.
    constexpr std::byte question[] = {std::byte{2},    std::byte{'A'}, std::byte{'b'}, std::byte{0},
                                      std::byte{0x41}, std::byte{'a'}, std::byte{0},   std::byte{1}};
    switch (choice & 3) {
        case 0: return AnswerCheck::dns(question);
        case 1: return AnswerCheck::ntp();
        case 2: return AnswerCheck::memcached_get("key");
        default: break;
    }
    Expectation expectation;
    expectation.size_min = choice >> 2 & 7;
    expectation.size_max = expectation.size_min + (choice >> 5);
    expectation.parts.push_back({static_cast<std::size_t>(choice >> 4), {std::byte{'a'}}});
    expectation.texts.push_back({std::byte{'b'}, std::byte{'c'}});
    return AnswerCheck::expected(expectation);
}

bool lies_in(std::span<const std::byte> part, std::span<const std::byte> whole) {
    return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

/// The checks without arguments.
void check_services(std::span<const std::byte> reply) {
    for (const AnswerCheck& check : {AnswerCheck::quic(), AnswerCheck::snmp(), AnswerCheck::coap(),
                                     AnswerCheck::radius(), AnswerCheck::sip(), AnswerCheck::a2s()}) {
        const auto status = check.inspect(reply);
        RINGPOST_CHECK(!status || *status < check.statuses().size());
        RINGPOST_CHECK(lies_in(check.matched_part(reply), reply) && lies_in(check.token(reply), reply));
    }
}

int run(const std::uint8_t* data, std::size_t size) {
    Script script(data, size, 4'096);
    const AnswerCheck check = check_of(script.u8());
    Bytes reply = script.bytes(size);
    check_services(reply);
    const auto status = check.inspect(reply);
    RINGPOST_CHECK(!status || *status < check.statuses().size());
    reply.push_back(std::byte{'x'});
    RINGPOST_CHECK(check.inspect(std::span(reply).first(reply.size() - 1)) == status);
    return 0;
}

const Target registered("traffic/answers", run);

}  // namespace
}  // namespace ringpost::fuzz::traffic_answers
