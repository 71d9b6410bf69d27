"""Images for the node, of programs that this machine has: with their libraries and nothing else, as the project's own image is made."""
import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

from layout import CONTAINERD, PAUSE

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WAITS = "#include <signal.h>\n#include <unistd.h>\nint main(void) { signal(SIGTERM, _exit); for (;;) pause(); }\n"


def add_text(archive, name, text):
    entry = tarfile.TarInfo(name)
    entry.size = len(text)
    archive.addfile(entry, io.BytesIO(text))


def pack(folder, name, archive, config):
    """Writes a root as an image of one layer, in the form of `docker save`. `config` is the image's own, such as User and Cmd."""
    layer = archive.with_suffix(".layer")
    with tarfile.open(layer, "w") as out:
        out.add(folder, arcname=".")
    digest = hashlib.sha256(layer.read_bytes()).hexdigest()
    text = json.dumps({"architecture": "amd64", "os": "linux", "config": config, "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}})
    with tarfile.open(archive, "w") as out:
        out.add(layer, arcname="layer.tar")
        add_text(out, "config.json", text.encode())
        add_text(out, "manifest.json", json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode())
    layer.unlink()


def load(archive):
    """Into containerd, where the kubelet finds it."""
    done = subprocess.run(["ctr", "-a", CONTAINERD, "-n", "k8s.io", "images", "import", archive], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ctr images import {archive}: {done.stderr}")


def load_pause():
    """The process that holds the network of a pod."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "pause.c").write_text(WAITS)
        (folder / "root").mkdir()
        subprocess.run(["gcc", "-static", "-Os", "-o", folder / "root/pause", folder / "pause.c"], check=True)
        pack(folder / "root", PAUSE, folder / "pause.tar", {"Entrypoint": ["/pause"], "User": "65535:65535"})
        load(folder / "pause.tar")


def load_programs(name, programs, config):
    """An image `name` of programs, each with its libraries."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for program in programs:
            subprocess.run(["install", "--strip", program, folder], check=True)
        bare = [folder / pathlib.Path(program).name for program in programs]
        subprocess.run([sys.executable, ROOT / "scripts/image_root.py", folder / "root", *bare], check=True)
        pack(folder / "root", name, folder / "image.tar", {"Env": ["PATH=/usr/local/bin"], "User": "10001:10001", "WorkingDir": "/tmp", **config})
        load(folder / "image.tar")


def tag(name, other):
    subprocess.run(["ctr", "-a", CONTAINERD, "-n", "k8s.io", "images", "tag", "--force", name, other], check=True, capture_output=True)
