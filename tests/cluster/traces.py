"""What a node leaves in the kernel: a bridge, rules, mounts, control groups. Made and removed here."""
import contextlib
import os
import pathlib
import shutil
import subprocess

from layout import ADDRESS, BRIDGE, DATA, PROGRAMS, RUN

FORWARD = pathlib.Path("/proc/sys/net/ipv4/ip_forward")
RULES = ("filter", "nat", "mangle")
# Made by the parts, whatever their settings; others may use them, too.
SHARED = ("/var/log/containers", "/var/log/pods", "/var/lib/cni/results", "/var/lib/cni", "/run/containerd/runc/k8s.io", "/run/containerd/runc",
          "/run/containerd/fifo", "/run/containerd/s", "/run/containerd")


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)


def make_bridge():
    (RUN / "ip_forward").write_text(FORWARD.read_text())
    FORWARD.write_text("1")
    for command in (f"link add {BRIDGE} type bridge", f"address add {ADDRESS}/24 dev {BRIDGE}", f"link set {BRIDGE} up"):
        done = run("ip", *command.split())
        if done.returncode:
            raise RuntimeError(f"ip {command}: {done.stderr}")


def remove_bridge():
    run("ip", "link", "delete", BRIDGE)
    with contextlib.suppress(OSError):
        FORWARD.write_text((RUN / "ip_forward").read_text())


def remove_rules():
    """kube-proxy's own, by kube-proxy, and the empty chains that it leaves."""
    run(PROGRAMS / "kube-proxy", "--cleanup")
    for command in ("iptables", "ip6tables"):
        for table in RULES:
            remove_chains(command, table)


def remove_chains(command, table):
    chains = [line[1:].split()[0] for line in run(f"{command}-save", "-t", table).stdout.splitlines() if line.startswith(":KUBE-")]
    for rule in run(f"{command}-save", "-t", table).stdout.splitlines():
        if rule.startswith("-A") and " KUBE-" in rule:
            subprocess.run(f"{command} -t {table} -D {rule[3:]}", shell=True, capture_output=True, check=False)
    for each in chains:
        run(command, "-t", table, "-F", each)
    for each in chains:
        run(command, "-t", table, "-X", each)


def mounts():
    """Under the node's folders, the innermost first."""
    points = [line.split()[1].encode().decode("unicode_escape") for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
    return [point for point in reversed(points) if point.startswith((f"{RUN}/", f"{DATA}/"))]


def remove_mounts():
    for point in mounts():
        run("umount", "--lazy", point)


def control_groups():
    """The innermost first."""
    found = [folder for root in pathlib.Path("/sys/fs/cgroup").glob("**/kubepods") for folder, _, _ in os.walk(root, topdown=False)]
    return [pathlib.Path(folder) for folder in found]


def remove_control_groups():
    for folder in control_groups():
        with contextlib.suppress(OSError):
            folder.rmdir()


def remove_folders():
    for folder in (RUN, DATA):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in SHARED:  # those that are empty
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def left():
    """What is still there of a node that was removed; empty when it went without a trace."""
    found = [f"mount {point}" for point in mounts()] + [f"control group {folder}" for folder in control_groups()]
    found += [f"folder {folder}" for folder in (RUN, DATA) if folder.exists()]
    if run("ip", "link", "show", BRIDGE).returncode == 0:
        found.append(f"bridge {BRIDGE}")
    for table in RULES:
        found += [f"rule {line}" for line in run("iptables-save", "-t", table).stdout.splitlines() if "KUBE-" in line]
    return found
