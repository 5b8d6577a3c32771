#include <gtest/gtest.h>

#include <utility>

#include "apps/cli/options.hpp"
#include "apps/measuring/agents.hpp"
#include "tests/unit/environment.hpp"

namespace ringpost::apps {
namespace {

constexpr const char* count_variable = "OMPI_COMM_WORLD_SIZE";

TEST(AgentsAlone, are_one) {
    for (const char* count : {static_cast<const char*>(nullptr), "1"}) {
        const Variable started(count_variable, count);
        const Agents agents;
        EXPECT_TRUE(agents.alone());
        EXPECT_EQ(agents.rank(), 0u);
        EXPECT_EQ(agents.gather("mine"), std::vector<std::string>{"mine"});
        Histogram histogram;
        histogram.record(5);
        agents.add_up(histogram);
        EXPECT_EQ(histogram.count(), 1u);
        agents.barrier();
        agents.abort(1);
    }
}

TEST(AgentsAlone, refuse_to_be_one_of_several) {
    constexpr std::pair<const char*, const char*> launchers[] = {
        {count_variable, "4"}, {"PMI_SIZE", "2"}, {"PMIX_RANK", "1"}};
    for (const auto& [name, value] : launchers) {
        const Variable started(name, value);
        try {
            const Agents agents;
            FAIL() << name << ": each would have measured the same";
        } catch (const Failure& failure) {
            EXPECT_EQ(failure.exit_code, Exit::usage);
            EXPECT_STREQ(failure.what(),
                         "mpirun has started several, but this ringpost was built without MPI: install "
                         "libopenmpi-dev and build again");
        }
    }
}

}  // namespace
}  // namespace ringpost::apps
