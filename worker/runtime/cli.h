#pragma once

namespace millrace::worker {

// The `millrace` command: parses arguments, runs one sub-command, returns the exit code. Never
// throws.
int RunCli(int argc, char** argv);

}  // namespace millrace::worker
