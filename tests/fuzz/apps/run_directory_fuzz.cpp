// The input is one kept run, or two: run.json, series.csv and response.hlog of each, separated by 0xff. The first byte
// selects what reads them: nothing else (0), what compare computes for each (1), the page of each (2), or merge, with
// its output as text (3) or JSON (4). Each must read the runs, or refuse them. What merge writes, the reader must
// accept.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "apps/cli/help.hpp"
#include "apps/commands/commands.hpp"
#include "apps/runs/bootstrap.hpp"
#include "apps/runs/reader.hpp"
#include "apps/runs/report_page.hpp"
#include "tests/fuzz/apps/files.hpp"
#include "tests/fuzz/target.hpp"

namespace ringpost::fuzz::apps_run_directory {

using namespace ringpost::apps;

namespace {

constexpr std::array files{"run.json", "series.csv", "response.hlog"};
constexpr char separator = '\xff';
/// A histogram has 27,648 buckets, however short its line is.
constexpr std::size_t lines_max = 3;

/// A subcommand with its arguments, ready to run many times.
struct Prepared {
    CLI::App root;
    Command run;

    template <class Add>
    Prepared(const Add& add, std::vector<std::string> arguments) {
        root.formatter(std::make_shared<HelpFormatter>());
        add(root, run);
        std::ranges::reverse(arguments);
        root.parse(arguments);
    }
};

class Runs {
  public:
    Runs() {
        for (const bool json : {false, true})
            for (const bool both : {false, true}) {
                std::vector<std::string> arguments{"merge", first()};
                if (both) arguments.push_back(second());
                if (json) arguments.emplace_back("--json");
                arguments.insert(arguments.end(), {"--out", merged()});
                merge_[json][both] = std::make_unique<Prepared>(add_merge, arguments);
            }
    }

    void play(std::uint8_t choice, std::string_view input) {
        for (const char* part : {"/first", "/second", "/merged"}) std::filesystem::remove_all(directory_.path() + part);
        const bool both = write_run("first", input) && write_run("second", input);
        std::vector<KeptRun> runs;
        bool good = fuzz::reads([&] { runs.push_back(read_run(first())); });
        if (both) good = fuzz::reads([&] { runs.push_back(read_run(second())); }) && good;
        for (const KeptRun& run : runs) check(run);
        switch (choice % 5) {
            case 0: break;
            case 1:
                for (const KeptRun& run : runs) fuzz::reads([&] { measures_of(blocks_of(run)); });
                break;
            case 2:
                for (const KeptRun& run : runs) fuzz::reads([&] { write_report_page(run.path); });
                break;
            default:
                const bool merges = fuzz::reads([&] { merge_[choice % 5 - 3][both]->run(); });
                RINGPOST_CHECK(good || !merges);
                if (merges) check_merged(runs);
        }
    }

  private:
    std::string first() const { return directory_.path() + "/first"; }
    std::string second() const { return directory_.path() + "/second"; }
    std::string merged() const { return directory_.path() + "/merged"; }

    /// Takes the files of a run from the front of the input. Returns whether it goes on.
    bool write_run(const std::string& run, std::string_view& input) const {
        std::filesystem::create_directory(directory_.path() + "/" + run);
        for (const char* name : files) {
            const std::size_t end = input.find(separator);
            const std::string_view contents = first_lines(input.substr(0, end), lines_max);
            // A run without histograms has no such file.
            if (!contents.empty()) directory_.write(run + "/" + name, contents);
            if (end == std::string_view::npos) return false;
            input.remove_prefix(end + 1);
        }
        return true;
    }

    static std::string_view first_lines(std::string_view text, std::size_t count) {
        std::size_t end = 0;
        for (; count > 0 && end < text.size(); --count) end = std::min(text.find('\n', end), text.size() - 1) + 1;
        return text.substr(0, end);
    }

    static void check(const KeptRun& run) {
        double last_s = 0;
        for (const SeriesRow& row : run.series) {
            RINGPOST_CHECK(row.end_s >= last_s && row.length_s() >= 0 && std::isfinite(row.length_s()));
            last_s = row.end_s;
        }
        RINGPOST_CHECK(run.timeout_us() > 0);
        RINGPOST_CHECK(differences(run, run).empty() && environment_differences(run, run).empty());
        RINGPOST_CHECK(!fuzz::reads([&] { refuse_same_run({run, run}); }));
    }

    void check_merged(const std::vector<KeptRun>& runs) const {
        const KeptRun sum = read_run(merged());
        RINGPOST_CHECK(sum.command == runs[0].command && sum.recordings == runs[0].recordings);
        RINGPOST_CHECK(sum.configuration == runs[0].configuration);
        RINGPOST_CHECK(sum.invalid_reason().empty() ==
                       std::ranges::all_of(runs, [](const KeptRun& run) { return run.invalid_reason().empty(); }));
        for (const std::string& name : sum.recordings)
            for (IntervalReader reader(sum, name); reader.next();) continue;
        check(sum);
    }

    fuzz::Directory directory_;
    std::array<std::array<std::unique_ptr<Prepared>, 2>, 2> merge_;
};

int run(const std::uint8_t* data, std::size_t size) {
    // What the commands print is not wanted. The fuzzer's own output goes to standard error.
    static std::FILE* const nowhere = std::freopen("/dev/null", "w", stdout);
    RINGPOST_CHECK(nowhere != nullptr);
    static Runs runs;
    const std::string_view input = fuzz::text_of(data, size);
    if (!input.empty()) runs.play(static_cast<std::uint8_t>(input[0]), input.substr(1));
    return 0;
}

const Target registered("apps/run_directory", run);

}  // namespace
}  // namespace ringpost::fuzz::apps_run_directory
