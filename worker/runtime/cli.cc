#include "worker/runtime/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "crds/base/text.h"
#include "worker/runtime/commands.h"
#include "worker/runtime/exit_code.h"

namespace millrace::worker {
namespace {

constexpr const char* kExamples = R"(Examples:
  millrace run job.yaml                        run a job until its sources end or Ctrl-C
  millrace run job.yaml --sink console         show every sink's rows in the terminal
  millrace run job.yaml --state ./state        keep state and exactly-once across restarts
  millrace run job.yaml --set spec.batchInterval=200ms --until-idle 5s
  millrace check job.yaml                      print every error, or the type of every stream
  millrace explain job.yaml --format mermaid   draw stages and exchanges

Exit codes: 0 ok, 1 failed while running, 2 wrong flag or job file, 3 fenced,
            4 not found, 5 timeout, 130 second Ctrl-C)";

constexpr size_t kOutputBytes = 1 << 20;
constexpr int64_t kMaxBatches = 1'000'000'000'000;

struct Arguments {
  RunOptions run;
  WorkerOptions worker;
  std::string lease;
  std::string grace;
  StateOptions state;
  JobFileRequest file;
  std::vector<std::string> sets;
  std::string until_idle;
  std::string explain_format = "tree";
  std::string shell;
  std::string topic;
  bool json = false;
};

void AddJobFile(CLI::App* command, Arguments* arguments) {
  command->add_option("JOB", arguments->file.path, "Job file (YAML or JSON), - for standard input")
      ->required();
  command
      ->add_option("--set", arguments->sets,
                   "Override a field: --set spec.batchInterval=200ms (repeatable)")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
}

CLI::App* AddRun(CLI::App* app, Arguments* arguments) {
  CLI::App* run = app->add_subcommand("run", "Run a job in this process");
  AddJobFile(run, arguments);
  run->add_option("--sink", arguments->file.sink_override,
                  "Send every sink to the terminal, or drop its rows")
      ->check(CLI::IsMember({"console", "none"}))
      ->type_name("console|none");
  run->add_option("--state", arguments->run.state,
                  "Where state and offsets live; overrides spec.state")
      ->type_name("memory|DIR");
  run->add_option("--secrets", arguments->run.secrets_directory,
                  "Folder with <secretName>/<key> files")
      ->type_name("DIR");
  run->add_option("--until-idle", arguments->until_idle, "Stop when nothing arrived for so long")
      ->type_name("DURATION");
  run->add_option("--batches", arguments->run.batches, "Stop after N batches")
      ->check(CLI::Range(int64_t{1}, kMaxBatches))
      ->type_name("N");
  run->add_option("--threads", arguments->run.threads,
                  "Threads that run tasks (default: one per core)")
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
  run->add_option("--metrics-address", arguments->run.metrics_address,
                  "Serve /metrics /status /state /healthz /readyz here")
      ->type_name("HOST:PORT");
  run->add_flag("--quiet", arguments->run.quiet, "No live status line, no summary at the end");
  return run;
}

void AddWorker(CLI::App* app, Arguments* arguments) {
  CLI::App* worker = app->add_subcommand(
      "worker", "Run one worker of a job that several share, with state in Redis");
  worker->add_option("--job", arguments->file.path, "Job file (YAML or JSON)")
      ->required()
      ->type_name("FILE");
  worker->add_option("--set", arguments->sets, "Override a field (repeatable)")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
  worker
      ->add_option("--secrets", arguments->worker.secrets_directory,
                   "Folder with <secretName>/<key> files")
      ->type_name("DIR");
  worker
      ->add_option("--listen", arguments->worker.listen,
                   "Where other workers reach this one; port 0: any two free ports")
      ->type_name("HOST:PORT");
  worker
      ->add_option("--advertise", arguments->worker.advertise,
                   "Host by which they reach it, when it is another")
      ->type_name("HOST");
  worker
      ->add_option("--member", arguments->worker.member, "Name of this worker (default: host name)")
      ->type_name("NAME");
  worker
      ->add_option("--job-id", arguments->worker.job_id,
                   "Part of every key (default: spec.state.id, else the job's name)")
      ->type_name("ID");
  worker
      ->add_option("--lease", arguments->lease,
                   "Silence after which a worker or the leader is replaced (default 10s)")
      ->type_name("DURATION");
  worker->add_option("--grace", arguments->grace, "Longest hand-over after SIGTERM (default 60s)")
      ->type_name("DURATION");
  worker
      ->add_option("--threads", arguments->worker.threads,
                   "Threads that run tasks (default: one per core)")
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
  worker
      ->add_option("--metrics-address", arguments->worker.metrics_address,
                   "Serve /metrics /status /state /healthz /readyz here")
      ->type_name("HOST:PORT");
  worker->add_flag("--accept-redis-loss", arguments->worker.accept_redis_loss,
                   "Run though the settings of Redis can lose acknowledged writes");
}

void AddState(CLI::App* app, Arguments* arguments) {
  CLI::App* state =
      app->add_subcommand("state", "Look at, reset, copy or move the state of a job in Redis");
  StateOptions& options = arguments->state;
  state
      ->add_option("ACTION", options.action,
                   "ls, show, resume (clear a halt), reset, export or import")
      ->required()
      ->check(CLI::IsMember({"ls", "show", "resume", "reset", "export", "import"}));
  state->add_option("FILE", options.path, "File of export and import");
  state
      ->add_option("--job", arguments->file.path,
                   "Job file (YAML or JSON), which names the Redis and the job")
      ->required()
      ->type_name("FILE");
  state->add_option("--set", arguments->sets, "Override a field (repeatable)")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
  state->add_option("--secrets", options.secrets_directory, "Folder with <secretName>/<key> files")
      ->type_name("DIR");
  state
      ->add_option("--job-id", options.job_id,
                   "As given to the workers (default: spec.state.id, else the job's name)")
      ->type_name("ID");
  state
      ->add_option("--lease", arguments->lease,
                   "reset: silence after which a worker counts as gone (default 10s)")
      ->type_name("DURATION");
  state->add_flag("--json", options.json, "ls, show: print JSON");
  state->add_flag("--yes", options.yes, "reset: do it");
}

bool ReadOverrides(const Arguments& arguments, std::vector<api::Override>* overrides) {
  for (const std::string& text : arguments.sets) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      std::fprintf(stderr,
                   "--set %s: expected path=value, for example --set spec.batchInterval=200ms\n",
                   text.c_str());
      return false;
    }
    overrides->push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  return true;
}

// Sets `*duration` unless `text` is empty; false, with a message, when it is not a positive
// duration.
bool ReadDuration(const char* flag, const std::string& text, Duration* duration) {
  if (text.empty()) return true;
  const Result<Duration> parsed = ParseDuration(text);
  if (parsed.ok() && *parsed > Duration::zero()) {
    *duration = *parsed;
    return true;
  }
  std::fprintf(stderr, "%s: %s\n", flag,
               parsed.ok() ? "must be longer than 0s" : parsed.status().message().c_str());
  return false;
}

int DoRun(Arguments& arguments) {
  arguments.run.file = arguments.file;
  Duration until_idle{0};
  if (!ReadDuration("--until-idle", arguments.until_idle, &until_idle)) return kExitUsage;
  if (!arguments.until_idle.empty()) arguments.run.until_idle = until_idle;
  return RunCommand(arguments.run);
}

int DoWorker(Arguments& arguments) {
  arguments.worker.file = arguments.file;
  if (!ReadDuration("--lease", arguments.lease, &arguments.worker.lease)) return kExitUsage;
  if (!ReadDuration("--grace", arguments.grace, &arguments.worker.grace)) return kExitUsage;
  return WorkerCommand(arguments.worker);
}

int DoState(Arguments& arguments) {
  arguments.state.file = arguments.file;
  if (!arguments.lease.empty() && arguments.state.action != "reset") {
    std::fputs("millrace: --lease belongs to reset\n", stderr);
    return kExitUsage;
  }
  if (!ReadDuration("--lease", arguments.lease, &arguments.state.lease)) return kExitUsage;
  return StateCommand(arguments.state);
}

ExplainFormat FormatOf(const std::string& name) {
  if (name == "dot") return ExplainFormat::kDot;
  if (name == "mermaid") return ExplainFormat::kMermaid;
  return name == "json" ? ExplainFormat::kJson : ExplainFormat::kTree;
}

// "unknown flag --sinc. Did you mean --sink?": the first argument that nothing takes, flags before
// others.
std::string UnknownArgument(const CLI::App& app) {
  std::vector<std::string> names;
  const CLI::App* scope = &app;
  for (const CLI::App* command : app.get_subcommands({})) {
    if (command->parsed()) scope = command;
    names.push_back(command->get_name());
  }
  for (const CLI::Option* option : scope->get_options()) names.push_back(option->get_name());
  const std::vector<std::string> extras = app.remaining(true);
  const auto is_flag = [](const std::string& argument) {
    return argument.starts_with("-") && argument != "-";
  };
  const auto flag = std::find_if(extras.begin(), extras.end(), is_flag);
  const std::string argument = flag != extras.end() ? *flag : extras.front();
  const std::string name = argument.substr(0, argument.find('='));
  const char* kind = is_flag(argument) ? "unknown flag "
                     : scope == &app   ? "unknown command "
                                       : "unexpected argument ";
  const std::optional<std::string> near = ClosestName(name, names);
  return kind + name + (near ? ". Did you mean " + *near + "?" : "");
}

int ReportUsage(CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) {  // --help and --version
    app.exit(error);
    return kExitOk;
  }
  const bool extra =
      dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !app.remaining(true).empty();
  const std::string message = extra ? UnknownArgument(app) : error.what();
  std::fprintf(stderr, "millrace: %s\nSee millrace --help.\n", message.c_str());
  return kExitUsage;
}

int Help(const CLI::App& app, const std::string& topic) {
  const CLI::App* command = topic.empty() ? &app : nullptr;
  for (const CLI::App* candidate : app.get_subcommands({})) {
    if (candidate->get_name() == topic) command = candidate;
  }
  if (command == nullptr) {
    std::fprintf(stderr, "millrace: no command \"%s\"\nSee millrace --help.\n", topic.c_str());
    return kExitUsage;
  }
  std::fputs(command->help().c_str(), stdout);
  return kExitOk;
}

int Dispatch(CLI::App& app, Arguments& arguments) {
  if (!ReadOverrides(arguments, &arguments.file.overrides)) return kExitUsage;
  if (app.got_subcommand("run")) return DoRun(arguments);
  if (app.got_subcommand("worker")) return DoWorker(arguments);
  if (app.got_subcommand("state")) return DoState(arguments);
  if (app.got_subcommand("check")) return CheckCommand(arguments.file, arguments.json);
  if (app.got_subcommand("explain"))
    return ExplainCommand(arguments.file, FormatOf(arguments.explain_format));
  if (app.got_subcommand("completion")) return CompletionCommand(arguments.shell);
  if (app.got_subcommand("version")) {
    std::fputs(VersionText().c_str(), stdout);
    return kExitOk;
  }
  if (app.got_subcommand("metrics")) {
    std::fputs(MetricsTable().c_str(), stdout);
    return kExitOk;
  }
  return Help(app, arguments.topic);
}

// A reader that went away (`| head`) has what it wanted; anything else that keeps results from
// being written is a failure.
int FlushOutput(int exit_code) {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit_code;
  if (errno == EPIPE) return exit_code;
  std::fprintf(stderr, "millrace: write to standard output: %s\n",
               errno == 0 ? "failed" : std::strerror(errno));
  return exit_code == kExitOk ? kExitFailed : exit_code;
}

}  // namespace

int RunCli(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  static char output[kOutputBytes];
  std::setvbuf(stdout, output, _IOFBF,
               sizeof output);  // so that a failure shows when it is flushed
  Arguments arguments;
  CLI::App app("Millrace: streaming jobs in micro-batches, exactly once, without the JVM",
               "millrace");
  app.footer(kExamples);
  app.set_version_flag("--version", Version());
  AddRun(&app, &arguments);
  AddWorker(&app, &arguments);
  AddState(&app, &arguments);
  CLI::App* check =
      app.add_subcommand("check", "Check a job file: every error, or the type of every stream");
  AddJobFile(check, &arguments);
  check->add_flag("--json", arguments.json, "Print schemas as JSON");
  CLI::App* explain = app.add_subcommand("explain", "Draw a job's stages, exchanges and types");
  AddJobFile(explain, &arguments);
  explain->add_option("--format", arguments.explain_format, "Form of the drawing")
      ->check(CLI::IsMember({"tree", "dot", "mermaid", "json"}));
  app.add_subcommand("version", "Print the versions of millrace and its libraries");
  app.add_subcommand("metrics", "Print the catalogue of metrics as a Markdown table");
  CLI::App* help = app.add_subcommand("help", "Print this help, or that of a command");
  help->add_option("COMMAND", arguments.topic, "A command");
  CLI::App* completion = app.add_subcommand(
      "completion", "Print shell completions: eval \"$(millrace completion bash)\"");
  completion->add_option("SHELL", arguments.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return FlushOutput(ReportUsage(app, error));
  }
  return FlushOutput(Dispatch(app, arguments));
}

}  // namespace millrace::worker
