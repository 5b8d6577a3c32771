#include "apps/runs/directory.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "apps/cli/random.hpp"
#include "apps/runs/environment.hpp"
#include "apps/runs/report_page.hpp"
#include "engine/os/clock.hpp"

namespace ringpost::apps {

bool make_run_directory(const std::string& path) {
    std::error_code error;
    const bool made = std::filesystem::create_directories(path, error);
    if (error) throw Failure(Exit::usage, fmt::format("--out {}: {}", path, error.message()));
    const bool empty = std::filesystem::is_empty(path, error);
    if (error) throw Failure(Exit::usage, fmt::format("--out {}: {}", path, error.message()));
    if (!empty) throw Failure(Exit::usage, fmt::format("--out {}: is not empty", path));
    return made;
}

bool write_run(const std::string& path, const RunFile& run) {
    Json kept = {{"format", "ringpost run 1"},
                 {"id", fmt::format("{:016x}{:016x}", random_value<std::uint64_t>(), random_value<std::uint64_t>())},
                 {"command", run.command},
                 {"configuration", run.configuration},
                 {"environment", run.environment},
                 {"results", run.results}};
    if (!run.merged_from.empty()) kept["merged_from"] = run.merged_from;
    std::ofstream file(path + "/run.json");
    file << kept.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
    return static_cast<bool>(file.flush());
}

void add_out(CLI::App& command, std::string& out, const std::string& help) {
    command.add_option("--out", out, help)->type_name("DIR")->check([](const std::string& text) {
        return text.empty() ? std::string("expected a directory") : std::string();
    });
}

void add_run(CLI::App& command, RunOptions& options) {
    add_out(command, options.out, "write the run to this directory, which must be empty or new (default none)");
}

void note_given(const CLI::App& command, RunOptions& options) {
    for (const CLI::Option* option : command.get_options()) {
        if (option->count() == 0 || option->get_name() == "--out" || option->get_name() == "--json") continue;
        const bool flag = option->get_expected_min() == 0;
        options.given[option->get_name().substr(2)] =
            flag ? Json(true) : Json(fmt::format("{}", fmt::join(option->results(), " ")));
    }
}

RunOptions of_agent(RunOptions options, std::size_t rank, std::size_t count) {
    if (count > 1 && !options.out.empty()) options.out += fmt::format("/{}", rank);
    return options;
}

RunDirectory::RunDirectory(const RunOptions& options, std::string command, Report& report)
    : path_(options.out),
      command_(std::move(command)),
      given_(options.given.is_null() ? Json::object() : options.given),
      report_(report) {
    if (path_.empty()) return;
    made_ = make_run_directory(path_);
    events_.open(path_ + "/events.ndjson");
    if (!events_) throw Failure(Exit::failed, fmt::format("--out {}: events.ndjson: cannot be written", path_));
    report_.copy_events(&events_);
}

RunDirectory::~RunDirectory() {
    if (!keeps()) return;
    report_.copy_events(nullptr);
    if (series_) return;
    events_.close();
    std::error_code ignored;
    std::filesystem::remove(path_ + "/events.ndjson", ignored);
    if (made_) std::filesystem::remove(path_, ignored);
}

void RunDirectory::begin(const RunShape& shape, Instant at, const Address& near) {
    shape_ = shape;
    started_at_ = at + unix_offset();
    if (keeps()) environment_ = run_environment(near);
}

RunSeries& RunDirectory::series() {
    if (!series_) series_ = std::make_unique<RunSeries>(path_, *shape_, seconds(started_at_), utc_text(started_at_));
    return *series_;
}

void RunDirectory::take(Snapshot now) {
    if (keeps()) series().take(std::move(now));
}

void RunDirectory::skip(const Snapshot& now) {
    if (keeps()) series().skip(now);
}

void RunDirectory::close(Snapshot end, const Json& summary) {
    if (!keeps()) return;
    std::string unwritten = series().finish(std::move(end));
    report_.copy_events(nullptr);
    events_.close();
    if (!events_) unwritten = "events.ndjson";
    Json environment = environment_;
    environment["started_at"] = utc_text(started_at_);
    environment["clock"] = clock_json();
    for (const char* granted : {"backend", "granted", "gso", "gro"})
        if (summary.contains(granted)) environment[granted] = summary[granted];
    if (!write_run(path_, {command_, given_, environment, summary, {}})) unwritten = "run.json";
    if (unwritten.empty() && !write_report_page(path_)) unwritten = "report.html";
    if (!unwritten.empty())
        throw Failure(Exit::failed, fmt::format("--out {}: {}: cannot be written", path_, unwritten));
}

}  // namespace ringpost::apps
