#include <cstdio>

#include "worker/runtime/commands.h"
#include "worker/runtime/exit_code.h"

namespace millrace::worker {
namespace {

constexpr const char* kBash = R"(_millrace() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  case $previous in
    --sink) COMPREPLY=($(compgen -W "console none" -- "$current")); return ;;
    --format) COMPREPLY=($(compgen -W "tree dot mermaid json" -- "$current")); return ;;
    --state) COMPREPLY=($(compgen -W "memory" -- "$current") $(compgen -d -- "$current")); return ;;
    --secrets) COMPREPLY=($(compgen -d -- "$current")); return ;;
    --job) COMPREPLY=($(compgen -f -- "$current")); return ;;
    state) COMPREPLY=($(compgen -W "ls show resume reset export import" -- "$current")); return ;;
    completion) COMPREPLY=($(compgen -W "bash zsh fish" -- "$current")); return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "run worker state check explain metrics completion version help" -- "$current"))
  elif [[ $current == -* ]]; then
    case ${COMP_WORDS[1]} in
      run) COMPREPLY=($(compgen -W "--set --sink --state --secrets --until-idle --batches --threads --metrics-address --quiet --help" -- "$current")) ;;
      worker) COMPREPLY=($(compgen -W "--job --set --secrets --listen --advertise --member --job-id --lease --grace --threads --metrics-address --accept-redis-loss --help" -- "$current")) ;;
      state) COMPREPLY=($(compgen -W "--job --set --secrets --job-id --lease --json --yes --help" -- "$current")) ;;
      check) COMPREPLY=($(compgen -W "--set --json --help" -- "$current")) ;;
      explain) COMPREPLY=($(compgen -W "--set --format --help" -- "$current")) ;;
    esac
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -o filenames -F _millrace millrace
)";

constexpr const char* kZsh = R"(#compdef millrace
_millrace() {
  local -a commands
  commands=(run:'run a job' worker:'run one of several workers' state:'state of a job in Redis' check:'check a job file' explain:'draw a job' metrics:'list metrics' completion:'shell completions' version help)
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case $words[2] in
    run) _arguments '*--set[override a field]:path=value:' '--sink[send sinks to]:sink:(console none)' '--state[state]:directory:_files -/' \
      '--secrets[secrets folder]:directory:_files -/' '--until-idle[stop when idle]:duration:' '--batches[stop after]:count:' \
      '--threads[task threads]:count:' '--metrics-address[serve metrics]:address:' '--quiet[no status line, no summary]' ':job file:_files' ;;
    worker) _arguments '--job[job file]:file:_files' '*--set[override a field]:path=value:' '--secrets[secrets folder]:directory:_files -/' \
      '--listen[address for other workers]:address:' '--advertise[host for other workers]:host:' '--member[name]:name:' '--job-id[id in Redis]:id:' \
      '--lease[silence before replacement]:duration:' '--grace[longest hand-over]:duration:' '--threads[task threads]:count:' \
      '--metrics-address[serve metrics]:address:' '--accept-redis-loss[run on an unsafe Redis]' ;;
    state) _arguments '1:action:(ls show resume reset export import)' '--job[job file]:file:_files' '*--set[override a field]:path=value:' \
      '--secrets[secrets folder]:directory:_files -/' '--job-id[id in Redis]:id:' '--lease[silence before replacement]:duration:' \
      '--json[print JSON]' '--yes[do reset]' ':file:_files' ;;
    check) _arguments '*--set[override a field]:path=value:' '--json[print JSON]' ':job file:_files' ;;
    explain) _arguments '*--set[override a field]:path=value:' '--format[form]:format:(tree dot mermaid json)' ':job file:_files' ;;
    completion) _values shell bash zsh fish ;;
  esac
}
compdef _millrace millrace
)";

constexpr const char* kFish = R"(complete -c millrace -f
complete -c millrace -n __fish_use_subcommand -a "run worker state check explain metrics completion version help"
complete -c millrace -n "__fish_seen_subcommand_from run state check explain" -F
complete -c millrace -n "__fish_seen_subcommand_from run worker state check explain" -l set -x -d "override a field"
complete -c millrace -n "__fish_seen_subcommand_from run" -l sink -x -a "console none"
complete -c millrace -n "__fish_seen_subcommand_from run" -l state -r
complete -c millrace -n "__fish_seen_subcommand_from run worker state" -l secrets -r
complete -c millrace -n "__fish_seen_subcommand_from worker state" -l job -r
complete -c millrace -n "__fish_seen_subcommand_from worker state" -l job-id -x
complete -c millrace -n "__fish_seen_subcommand_from worker state" -l lease -x
complete -c millrace -n "__fish_seen_subcommand_from worker" -l listen -x
complete -c millrace -n "__fish_seen_subcommand_from worker" -l advertise -x
complete -c millrace -n "__fish_seen_subcommand_from worker" -l member -x
complete -c millrace -n "__fish_seen_subcommand_from worker" -l grace -x
complete -c millrace -n "__fish_seen_subcommand_from worker" -l accept-redis-loss
complete -c millrace -n "__fish_seen_subcommand_from state" -a "ls show resume reset export import"
complete -c millrace -n "__fish_seen_subcommand_from state" -l yes
complete -c millrace -n "__fish_seen_subcommand_from run" -l until-idle -x
complete -c millrace -n "__fish_seen_subcommand_from run" -l batches -x
complete -c millrace -n "__fish_seen_subcommand_from run worker" -l threads -x
complete -c millrace -n "__fish_seen_subcommand_from run worker" -l metrics-address -x
complete -c millrace -n "__fish_seen_subcommand_from run" -l quiet
complete -c millrace -n "__fish_seen_subcommand_from check state" -l json
complete -c millrace -n "__fish_seen_subcommand_from explain" -l format -x -a "tree dot mermaid json"
complete -c millrace -n "__fish_seen_subcommand_from completion" -a "bash zsh fish"
)";

}  // namespace

int CompletionCommand(const std::string& shell) {
  const char* script = shell == "bash" ? kBash : shell == "zsh" ? kZsh : kFish;
  std::fputs(script, stdout);
  return kExitOk;
}

}  // namespace millrace::worker
