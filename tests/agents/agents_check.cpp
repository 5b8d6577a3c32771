// agents_check COUNT [abort | throw]: under mpirun, checks that COUNT agents exchange their data correctly; with abort
// or throw, the last agent ends all while the others wait.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

#include "apps/cli/failure.hpp"
#include "apps/measuring/agents.hpp"

namespace ringpost::apps {
namespace {

constexpr int abort_code = 7;

void expect(bool holds, const char* what) {
    if (!holds) throw Failure(Exit::failed, what);
}

/// The histogram of an agent: a different count for each rank, saturated durations, and a sum beyond 64 bits.
Histogram histogram_of(std::size_t rank) {
    Histogram histogram;
    std::mt19937_64 random(rank);
    for (std::size_t i = 0; i < 1'000 * rank; ++i)
        histogram.record(static_cast<Duration>(random() >> (1 + random() % 60)));
    return histogram;
}

/// The text of an agent: lengths differ greatly, one is empty, and a zero byte is included.
std::string text_of(std::size_t rank) {
    std::string text(rank * rank * 100'000, static_cast<char>('a' + rank));
    if (!text.empty()) text.front() = '\0';
    return text;
}

void check(const Agents& agents) {
    const std::vector<std::string> texts = agents.gather(text_of(agents.rank()));
    expect(texts.size() == agents.count(), "gather: one text for each");
    for (std::size_t rank = 0; rank < texts.size(); ++rank) expect(texts[rank] == text_of(rank), "gather: by rank");

    Histogram sum = histogram_of(agents.rank()), expected;
    for (std::size_t rank = 0; rank < agents.count(); ++rank) expected.merge(histogram_of(rank));
    agents.add_up(sum);
    expect(sum.totals() == expected.totals(), "add_up: totals");
    expect(std::ranges::equal(sum.bucket_counts(), expected.bucket_counts()), "add_up: counts");
    expect(agents.alone() || (sum.saturated() > 0 && sum.totals().sum_high > 0), "add_up: more than 64 bits");

    // Each agent writes before the barrier, and reads all after it: none may pass before the last has arrived.
    const std::string path = std::getenv("AGENTS_CHECK_FILE");
    std::FILE* file = std::fopen(path.c_str(), "a");
    expect(file != nullptr && std::fputc('.', file) != EOF && std::fclose(file) == 0, "the file of the check");
    agents.barrier();
    file = std::fopen(path.c_str(), "r");
    std::size_t arrived = 0;
    while (std::fgetc(file) != EOF) ++arrived;
    std::fclose(file);
    expect(arrived == agents.count(), "barrier: all have arrived");
}

int run(std::size_t count, const std::string& what) {
    Agents agents;
    agents.join();
    expect(agents.count() == count && agents.rank() < count, "as many agents as mpirun has started");
    const bool last = agents.rank() + 1 == count;
    if (last && what == "throw") throw Failure(Exit::failed, "thrown while Agents exists");
    try {
        if (last && what == "abort") agents.abort(abort_code);
        if (what.empty()) check(agents);
        agents.barrier();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "agent %zu: %s\n", agents.rank(), error.what());
        agents.abort(Exit::failed);
        return Exit::failed;
    }
    return Exit::done;
}

}  // namespace
}  // namespace ringpost::apps

int main(int argc, char** argv) {
    // Like the command's main(): an uncaught exception would end the process without running destructors.
    try {
        return ringpost::apps::run(std::strtoul(argv[1], nullptr, 10), argc > 2 ? argv[2] : "");
    } catch (const std::exception& error) {
        std::fprintf(stderr, "exception: %s\n", error.what());
        return ringpost::apps::Exit::failed;
    }
}
