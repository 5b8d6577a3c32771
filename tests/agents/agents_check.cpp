// agents_check COUNT [abort | throw]: run by mpirun, checks that COUNT agents hear of each other what they should; or
// the last one ends all of them while the others wait.

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

/// What the agent of that rank has recorded: a different number each, saturated durations, and a sum beyond 64 bits.
Histogram histogram_of(std::size_t rank) {
    Histogram histogram;
    std::mt19937_64 random(rank);
    for (std::size_t i = 0; i < 1'000 * rank; ++i)
        histogram.record(static_cast<Duration>(random() >> (1 + random() % 60)));
    return histogram;
}

/// Of very different lengths, with bytes of every kind; that of the first is empty.
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

    // Each writes before the barrier what all read behind it: nobody may be through before the last has come.
    const std::string path = std::getenv("AGENTS_CHECK_FILE");
    std::FILE* file = std::fopen(path.c_str(), "a");
    expect(file != nullptr && std::fputc('.', file) != EOF && std::fclose(file) == 0, "the file of the check");
    agents.barrier();
    file = std::fopen(path.c_str(), "r");
    std::size_t come = 0;
    while (std::fgetc(file) != EOF) ++come;
    std::fclose(file);
    expect(come == agents.count(), "barrier: all have come");
}

int run(std::size_t count, const std::string& what) {
    Agents agents;
    agents.join();
    expect(agents.count() == count && agents.rank() < count, "as many as mpirun has started");
    const bool last = agents.rank() + 1 == count;
    if (last && what == "throw") throw Failure(Exit::failed, "thrown while it lives");
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
    // Caught, as the command's main() does: what is not would end the process without a destructor being run.
    try {
        return ringpost::apps::run(std::strtoul(argv[1], nullptr, 10), argc > 2 ? argv[2] : "");
    } catch (const std::exception& error) {
        std::fprintf(stderr, "left by an exception: %s\n", error.what());
        return ringpost::apps::Exit::failed;
    }
}
