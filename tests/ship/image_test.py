#!/usr/bin/env python3
"""Checks the Dockerfile as text: what it installs to build is what scripts/install-deps.sh installs, the user is a number, nothing is
fetched but packages, versions are named.

Usage: image_test.py REPOSITORY
"""
import pathlib
import re
import sys

# Of the build machine only: make itself runs outside, procps is for tests.
NOT_IN_IMAGE = {"make", "procps"}


def problems(root):
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


def main():
    found = list(problems(pathlib.Path(sys.argv[1])))
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
