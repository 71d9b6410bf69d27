#!/usr/bin/env python3
"""A whole Kubernetes node on this machine, of the real parts: etcd, API server, controllers, scheduler, containerd, kubelet, kube-proxy.

Usage: node.py up | down | status
`up` ends when the node is ready and says how to reach it; `down` leaves nothing. Needs root, Debian's containerd, runc and
containernetworking-plugins (scripts/install-deps.sh --cluster), and what build_node.sh and tests/crd/build_apiserver.sh build.
"""
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import time
import urllib.request

import commands
import configuration
import images
import processes
import traces
from layout import ADDRESS, API_PORT, CERTIFICATE, CONTAINERD, DATA, KUBECONFIG, NODE, PROGRAMS, RUN

WAIT_SECONDS = 240
# In the order of their start.
STORE, SERVER = ("etcd", commands.etcd), ("api-server", commands.api_server)
REST = [("controllers", commands.controllers), ("scheduler", commands.scheduler), ("containerd", commands.containerd),
        ("kubelet", commands.kubelet), ("proxy", commands.proxy), ("names", commands.names)]
BUILT = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
INSTALLED = ("/usr/bin/containerd", "/usr/sbin/runc", "/usr/lib/cni/bridge", "/usr/sbin/iptables")


def missing():
    """What is needed and not there."""
    found = [name for name in BUILT if not (PROGRAMS / name).exists()] + [path for path in INSTALLED if not pathlib.Path(path).exists()]
    return found + ([] if os.geteuid() == 0 else ["root"])


def wait_for(what, condition, names=()):
    """Ends early when one of the processes `names` does."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        ended = [name for name in names if processes.pid_of(name) is None]
        if ended or time.monotonic() > deadline:
            logs = "\n".join(f"--- {name}\n{processes.log(name)}" for name in ended or names)
            raise RuntimeError(f"waited for {what}; ended: {ended}\n{logs}")
        time.sleep(0.1)


def serves():
    if not CERTIFICATE.exists():
        return False
    try:
        context = ssl.create_default_context(cafile=str(CERTIFICATE))
        with urllib.request.urlopen(f"https://{ADDRESS}:{API_PORT}/readyz", context=context, timeout=5) as answer:
            return answer.status == 200
    except (OSError, ssl.SSLError):
        return False


def kubectl(*arguments, text=None, check=True):
    program = shutil.which("kubectl") or PROGRAMS / "kubectl"
    done = subprocess.run([program, "--kubeconfig", KUBECONFIG, "--cache-dir", RUN / "cache", *arguments], input=text, capture_output=True,
                          text=True, check=False, timeout=300)
    if check and done.returncode:
        raise RuntimeError(f"kubectl {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def ready():
    text = kubectl("get", "node", NODE, "-o", "json", check=False)
    return bool(text) and any(each["type"] == "Ready" and each["status"] == "True" for each in json.loads(text)["status"]["conditions"])


def up():
    down()
    for folder in (RUN, DATA):
        folder.mkdir(mode=0o755, parents=True)
    traces.make_bridge()
    tokens = configuration.write()
    for name, command in (STORE, SERVER):
        processes.start(name, command())
    wait_for("the API server", serves, ("etcd", "api-server"))
    configuration.write_kubeconfigs(tokens)
    for name, command in REST:
        if name == "kubelet":  # it wants containerd, and containerd the image of every pod's first process
            wait_for("containerd", CONTAINERD.is_socket, ("containerd",))
            images.load_pause()
        processes.start(name, command())
    wait_for("the node", ready, tuple(name for name, _ in REST))


def down():
    """Whatever is left of a node, of one that was killed, too."""
    for name in ("kubelet", "names", "proxy", "scheduler", "controllers", "api-server"):
        processes.stop(name)
    shims = processes.having(str(CONTAINERD))
    processes.stop("containerd")
    processes.end([*contained(), *shims], first=9)
    processes.stop("etcd")
    if (PROGRAMS / "kube-proxy").exists():
        traces.remove_rules()
    traces.remove_bridge()
    traces.remove_mounts()
    traces.remove_control_groups()
    traces.remove_folders()


def contained():
    """Pids in the control groups of pods."""
    found = set()
    for folder in traces.control_groups():
        try:
            found.update(map(int, (folder / "cgroup.procs").read_text().split()))
        except OSError:
            continue
    return sorted(found)


def main():
    action = sys.argv[1] if len(sys.argv) == 2 else ""
    if action == "up":
        lacking = missing()
        if lacking:
            sys.exit(f"node: missing {', '.join(lacking)}; make cluster gets all but root")
        begin = time.monotonic()
        try:
            up()
        except BaseException:
            down()
            raise
        print(f"The node is ready after {time.monotonic() - begin:.0f} s:  export KUBECONFIG={KUBECONFIG}\n"
              f"Images: ctr -a {CONTAINERD} -n k8s.io images import FILE.tar\nIt runs until make cluster-down.")
    elif action == "down":
        down()
        sys.exit("\n".join(traces.left()) or 0)
    elif action == "status":
        for name, _ in (STORE, SERVER, *REST):
            print(f"{name}: {processes.pid_of(name) or 'does not run'}")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
