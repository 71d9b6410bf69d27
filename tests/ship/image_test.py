#!/usr/bin/env python3
"""Checks the Dockerfile as text: what it installs to build is what scripts/install-deps.sh installs, the user is a number, nothing is
fetched but packages, versions are named. Checks scripts/image_root.py with a program of this machine, and, where one is given, a whole
image: what is in it, who runs it, how large it is.

Usage: image_test.py REPOSITORY [ARCHIVE]      ARCHIVE as scripts/image.sh --archive writes it
"""
import gzip
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

# Of the build machine only: make itself runs outside, procps is for tests.
NOT_IN_IMAGE = {"make", "procps"}
LARGEST_BYTES = 80_000_000  # compressed
PROGRAM = "/usr/bin/openssl"
TOOLS = re.compile(r"(^|/)s?bin/((ba|da|z|k)?sh|busybox|dpkg|apt|apt-get|perl|python3?)$")


def dockerfile_problems(root):
    text = (root / "Dockerfile").read_text()
    wanted = re.search(r"^packages=\(\n(.*?)^\)", (root / "scripts/install-deps.sh").read_text(), re.MULTILINE | re.DOTALL).group(1).split()
    installed = set(re.search(r"apt-get install -y --no-install-recommends \\\n(.*?)&&", text, re.DOTALL).group(1).replace("\\\n", " ").split())
    for name in wanted:
        if not installed & set(name.split("|")) and name not in NOT_IN_IMAGE:
            yield f"the build stage does not install {name}"
    if not re.search(r"^USER [1-9]\d{4,}:[1-9]\d{4,}$", text, re.MULTILINE):
        yield "the user is not a number of five digits"
    for word in ("curl ", "wget ", ":latest", "ADD http", "chmod 777", "sudo"):
        if word in text:
            yield f"{word.strip()} in the Dockerfile"
    if 'ENTRYPOINT ["millrace"]' not in text or re.search(r"^(ENTRYPOINT|CMD) [^\[]", text, re.MULTILINE):
        yield "workers are started by arguments to millrace, without a shell"
    version = re.search(r"project\(millrace VERSION ([\d.]+)", (root / "CMakeLists.txt").read_text()).group(1)
    for path in ("Dockerfile", "helm/millrace/Chart.yaml", "deploy/registry/kustomization.yaml"):
        if version not in (root / path).read_text():
            yield f"{path} is not of version {version}"


def bill_problems(bill):
    """What makes a list of packages no SPDX 2.3."""
    for key in ("spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo"):
        if key not in bill:
            yield f"the bill of materials has no {key}"
    ids = [each["SPDXID"] for each in bill["packages"]]
    if len(ids) != len(set(ids)) or any(not re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", each) for each in ids):
        yield f"package ids are not unique or not well formed: {ids}"
    known = {"SPDXRef-DOCUMENT", *ids}
    for relation in bill["relationships"]:
        if {relation["spdxElementId"], relation["relatedSpdxElement"]} - known:
            yield f"relation of what is not there: {relation}"
    for package in bill["packages"][1:]:
        if not package["versionInfo"] or not package["externalRefs"][0]["referenceLocator"].startswith("pkg:deb/debian/"):
            yield f"package without version or address: {package}"


def root_problems(root):
    """Runs a program of this machine in a root made for it, where nothing else is."""
    with tempfile.TemporaryDirectory() as folder:
        made = [pathlib.Path(folder, name) for name in ("one", "two")]
        for each in made:
            subprocess.run([root / "scripts/image_root.py", each, "--name", "trial", "--version", "1.2", PROGRAM], check=True,
                           env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})
        if listing(made[0]) != listing(made[1]):
            yield "two roots of one program differ"
        bill = json.loads((made[0] / "usr/share/trial/sbom.spdx.json").read_text())
        yield from bill_problems(bill)
        names = {each["name"] for each in bill["packages"]}
        if not {"libc6", "ca-certificates", "tzdata"} <= names or not any(name.startswith("libssl3") for name in names):
            yield f"packages are missing from {sorted(names)}"
        if os.geteuid() == 0:
            done = subprocess.run(["chroot", "--userspec=10001:10001", made[0], "/usr/local/bin/openssl", "version"], capture_output=True, check=False)
            if done.returncode:
                yield f"the program does not run in its root: {done.stderr}"


def listing(folder):
    return sorted((str(path.relative_to(folder)), path.lstat().st_mode, path.lstat().st_mtime) for path in folder.rglob("*"))


def archive_problems(path):
    """What `docker inspect` and `docker history` would show, read from the archive."""
    with tarfile.open(path) as archive:
        read = lambda name: archive.extractfile(name).read()
        manifest = json.loads(read("manifest.json"))[0]
        config = json.loads(read(manifest["Config"]))
        layers = [read(name) for name in manifest["Layers"]]
    settings = config["config"]
    if settings.get("User") != "10001:10001" or settings.get("Entrypoint") != ["millrace"] or settings.get("Cmd") != ["help"]:
        yield f"wrong user or command: {settings}"
    labels = settings.get("Labels", {})
    for label in ("title", "description", "version", "revision", "licenses"):
        if not labels.get(f"org.opencontainers.image.{label}"):
            yield f"no label {label}"
    for step in config["history"]:
        if re.search(r"(?i)password|token|secret|apt-get", step.get("created_by", "")):
            yield f"a step of the build is part of the image: {step}"
    size = sum(len(gzip.compress(layer, 6)) for layer in layers)
    print(f"{len(layers)} layers, {size / 1e6:.1f} MB compressed, {sum(map(len, layers)) / 1e6:.1f} MB unpacked")
    if size > LARGEST_BYTES:
        yield f"{size} bytes compressed"
    yield from content_problems(layers)


def content_problems(layers):
    with tempfile.TemporaryDirectory() as folder:
        names = set()
        for number, layer in enumerate(layers):
            file = pathlib.Path(folder, str(number))
            file.write_bytes(layer)
            with tarfile.open(file) as inside:
                for member in inside:
                    names.add(member.name)
                    if member.mode & 0o6000:
                        yield f"{member.name} changes who runs it"
                    if member.mode & 0o002 and not member.issym() and not member.name.strip("./") == "tmp":
                        yield f"{member.name} can be written by everybody"
                    if member.name.endswith("/sbom.spdx.json"):
                        yield from bill_problems(json.load(inside.extractfile(member)))
        for name in names:
            if TOOLS.search(name):
                yield f"{name} is in the image"
        for name in ("usr/local/bin/millrace", "usr/local/bin/millrace-operator", "usr/share/millrace/sbom.spdx.json", "etc/ssl/certs/ca-certificates.crt"):
            if not {name, "./" + name} & names:
                yield f"{name} is not in the image"


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    found = list(dockerfile_problems(root))
    if shutil.which("dpkg") and os.path.exists(PROGRAM):
        found += root_problems(root)
    if len(sys.argv) > 2:
        found += archive_problems(sys.argv[2])
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
