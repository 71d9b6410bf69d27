"""Which checks mutation_check.py leaves out, and which tests must notice.

Those of the store's scripts are found in the text of the scripts: every condition under which one of them refuses, and every word of
its guards. Those of the cores, the state and the sinks are named in mutant_list.py.
"""

import re

from mutant_list import NAMED
from mutation import ScriptMutant, Test

SCRIPTS = "worker/coordination/redis/job_scripts.cc"

# A test says what failed in one of these ways.
GTEST = (r"\[  FAILED  \] (\w+\.\w+)",)
STORE = (r'Which is: "([^"]+): got', r'^  "([^"]+): got', *GTEST)

TESTS = {
    "job store": Test("tests/redis/redis_test", ["--gtest_filter=RedisJobStoreTest.*"], STORE),
    "redis cluster": Test("tests/redis/redis_test", ["--gtest_filter=RedisClusterTest.RunsNoScriptOfAJobWhoseSlotIsMoving"], GTEST),
    "state log": Test("tests/redis/redis_test", ["--gtest_filter=RedisStateLogTest.*:BlobFormatTest.*"], GTEST),
    "redis seats": Test("tests/redis/redis_test", ["--gtest_filter=RedisSeatsTest.*"], GTEST),
    "coordination": Test("worker/coordination/coordination_test", [], GTEST),
    "client": Test("worker/client/client_test", ["--gtest_filter=*Redis*:*Peer*:*Traffic*"], GTEST),
    "sinks": Test("worker/sink/sink_test", ["--gtest_filter=Kafka*:File*:Ledger*:Redis*"], GTEST),
    "exchange": Test("worker/runtime/runtime_test", ["--gtest_filter=WireExchangeTest.*"], GTEST),
    "simulation": Test("tests/simulation/simulate", ["--seeds", "150"], (r"^seed \d+ broke (I\d+|[^:\n]+)",)),
}

SCRIPT = re.compile(r'const JobScript k(\w+)Script = Make\("([^"]+)", R"lua\(\n(.*?)\)lua"\)', re.DOTALL)
GUARD = re.compile(r"^(?:local )?bad = (.+)$")
REFUSAL = re.compile(r"^ *if .+ then return \{'(\w[\w ]*)', '([^']*)'\} end$")


def of_script(constant, name, text):
    """A mutant for each part of each guard, each refusal, and each note of what a caller knows."""
    for line in text.splitlines():
        guard = GUARD.match(line)
        if guard:
            parts = guard[1].split(" or ")
            for part in parts:
                rest = " or ".join(other for other in parts if other != part) or "nil"
                yield script_mutant(constant, name, re.sub(r"\(.*", "", part), line, line.replace(guard[1], rest))
        refusal = REFUSAL.match(line)
        if refusal:
            yield script_mutant(constant, name, refusal[2] or refusal[1], line, "")
        if line.startswith("known("):
            yield script_mutant(constant, name, "known", line, "")


def script_mutant(constant, name, what, before, after):
    return ScriptMutant(name, what, SCRIPTS, before, after, ["job store"], within=f"k{constant}Script = ")


def of_scripts(text):
    mutants = [mutant for found in SCRIPT.finditer(text) for mutant in of_script(*found.groups())]
    # The same refusal for another reason has a number behind it.
    seen = {}
    for mutant in mutants:
        key = (mutant.where, mutant.what)
        seen[key] = seen.get(key, 0) + 1
        if seen[key] > 1:
            mutant.what += f" ({seen[key]})"
    return mutants


def prelude(what, before, after):
    return ScriptMutant("", what, SCRIPTS, before, after, ["job store"], within="kPrelude = ")


PRELUDE = [
    prelude("lost", "if redis.call('EXISTS', J .. ':job') == 0 then return {'lost', ''} end\n  local halt", "local halt"),
    prelude("halted", "if halt ~= '' then return {'halted', halt} end", ""),
    prelude("token of the lease", "get(':lease', 'token') ~= token or ", ""),
    prelude("epoch of the lease", " or get(':lease', 'epoch') ~= epoch", ""),
    prelude("name of the generation", "or get(':gen', 'name') ~= name then", "then"),
    prelude("state of the generation", "if get(':gen', 'open') ~= open then return {'refused', 'generation state'} end", ""),
    prelude("doubt", "if get(':job', 'suspectBatch') ~= '' then return {'suspect', ''} end", ""),
    prelude("a later commit is a doubt", "seen > committed or ", ""),
    prelude("another digest is a doubt", " or (seen == committed and digest ~= get(':commit', 'digest'))", ""),
    prelude("slots below none", "n < 0 or ", ""),
    prelude("slots beyond the last", " or n >= number(':gen', 'slots')", ""),
]


def part(where, what, within, before, after):
    return ScriptMutant(where, what, SCRIPTS, before, after, ["job store"], within=f"k{within}Script = ")


PARTS = [
    part("acquire", "observed token", "Acquire", "get(':lease', 'token') ~= ARGV[1] or ", ""),
    part("acquire", "observed beat", "Acquire", " or get(':lease', 'beat') ~= ARGV[2]", ""),
    part("new generation", "batch of the commit", "NewGeneration", "batch ~= ARGV[3] or ", ""),
    part("new generation", "generation of the commit", "NewGeneration", " or generation ~= ARGV[4]", ""),
    part("new generation", "nobody is ready yet", "NewGeneration", "redis.call('DEL', J .. ':ready')", ""),
    part("open", "digest of the doubt", "Open", " or get(':job', 'suspectDigest') ~= ARGV[5]", ""),
    part("read reports", "batch of the commit", "ReadReports", "get(':commit', 'batch') ~= ARGV[2] or ", ""),
    part("read reports", "generation of the commit", "ReadReports", " or get(':commit', 'generation') ~= ARGV[1]", ""),
]


def all_mutants(root):
    return of_scripts((root / SCRIPTS).read_text(encoding="utf-8")) + PRELUDE + PARTS + NAMED
