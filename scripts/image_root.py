#!/usr/bin/env python3
"""Puts programs and only what they need to run into a folder, the root of an image: shared libraries, certificates, time zones and a user.
There is no shell in it and no package manager. For scanners it says which packages the files are from, as `var/lib/dpkg/status.d` and,
in SPDX 2.3, as `usr/share/<name>/sbom.spdx.json`.

Usage: image_root.py FOLDER [--name NAME] [--version VERSION] PROGRAM...
Needs dpkg. Files get the time SOURCE_DATE_EPOCH, so that the same programs make the same folder.
"""
import argparse
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
ZONES = "/usr/share/zoneinfo"
USER = 10001
# Parts of these are compiled into the programs, so no library tells of them.
COMPILED_IN = ("libcli11-dev", "libcpp-httplib-dev", "libstdc++-14-dev")
# Where /bin, /lib and the like are folders of their own no longer.
MERGED = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def libraries(programs):
    """What the linker would load, the linker's own path included."""
    found = set()
    for program in programs:
        text = run("ldd", program)
        if "not found" in text:
            raise SystemExit(f"image_root: {program} misses libraries:\n{text}")
        found.update(re.findall(r"(?:^|\s)(/\S+)", text))
    return sorted(path for path in found if path not in programs)


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def link(path, to):
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_symlink() and not path.exists():
        path.symlink_to(to)


def place_library(root, path):
    """The file where it really is, and the name by which it is asked for."""
    real = pathlib.Path(os.path.realpath(path))
    copy(real, root / real.relative_to("/"))
    asked = pathlib.Path(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    if asked != real:
        link(root / asked.relative_to("/"), os.path.relpath(real, asked.parent))
    return str(real)


def owner(path):
    """The package of a file; dpkg may know it by the name it had before /lib moved into /usr."""
    for name in (path, path.removeprefix("/usr")):
        done = subprocess.run(["dpkg", "-S", name], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.split(":")[0]
    return None


def describe(name):
    text = run("dpkg-query", "-W", "-f", "${Package}\t${Version}\t${source:Package}\t${source:Version}\t${Architecture}", name)
    return dict(zip(("name", "version", "source", "source_version", "architecture"), text.split("\t")))


def write_packages(root, names):
    for name in names:
        status = root / "var/lib/dpkg/status.d" / name
        status.parent.mkdir(parents=True, exist_ok=True)
        status.write_text(run("dpkg-query", "-s", name))
        licence = pathlib.Path("/usr/share/doc", name, "copyright")
        if licence.exists():
            copy(licence, root / licence.relative_to("/"))


def spdx_id(name):
    return "SPDXRef-Package-" + re.sub(r"[^A-Za-z0-9.-]", lambda match: f"-{ord(match.group()):x}-", name)


def spdx_package(each):
    location = f"pkg:deb/debian/{each['name'].replace('+', '%2B')}@{each['version'].replace('+', '%2B').replace(':', '%3A')}?arch={each['architecture']}"
    return {"SPDXID": spdx_id(each["name"]), "name": each["name"], "versionInfo": each["version"], "supplier": "Organization: Debian",
            "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION",
            "copyrightText": "NOASSERTION", "sourceInfo": f"built from {each['source']} {each['source_version']}",
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": location}]}


def bill_of_materials(name, version, packages, seconds):
    """`packages` are the descriptions of what is inside; the image itself is the first package."""
    whole = {"SPDXID": "SPDXRef-Image", "name": name, "versionInfo": version, "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
             "licenseConcluded": "NOASSERTION", "licenseDeclared": "Apache-2.0", "copyrightText": "NOASSERTION"}
    relations = [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-Image"}]
    relations += [{"spdxElementId": "SPDXRef-Image", "relationshipType": "CONTAINS", "relatedSpdxElement": spdx_id(each["name"])}
                  for each in packages]
    return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"{name}-{version}",
            "documentNamespace": f"https://millrace.io/spdx/{name}-{version}-{seconds}",
            "creationInfo": {"created": datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
                             "creators": ["Tool: image_root.py"]},
            "packages": [whole, *map(spdx_package, packages)], "relationships": relations}


def write_settings(root):
    for name, to in MERGED.items():
        (root / to).mkdir(parents=True, exist_ok=True)
        link(root / name, to)
    copy(CERTIFICATES, root / CERTIFICATES[1:])
    # Where OpenSSL looks when nobody names a file.
    link(root / "usr/lib/ssl/cert.pem", CERTIFICATES)
    link(root / "usr/lib/ssl/certs", "/etc/ssl/certs")
    shutil.copytree(ZONES, root / ZONES[1:], symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("right", "posix"))
    (root / "etc/passwd").write_text(f"root:x:0:0:root:/:/nonexistent\nmillrace:x:{USER}:{USER}:millrace:/tmp:/nonexistent\n")
    (root / "etc/group").write_text(f"root:x:0:\nmillrace:x:{USER}:\n")
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    (root / "tmp").mkdir(exist_ok=True)


def date_all(root, seconds):
    for folder, folders, files in os.walk(root, topdown=False):
        for name in folders + files:
            os.utime(os.path.join(folder, name), (seconds, seconds), follow_symlinks=False)
    os.utime(root, (seconds, seconds))
    (root / "tmp").chmod(0o1777)


def build(root, programs, name, version):
    root = pathlib.Path(root)
    root.mkdir(parents=True)
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    write_settings(root)
    for program in programs:
        target = root / "usr/local/bin" / os.path.basename(program)
        copy(program, target)
        target.chmod(0o755)
    real = [place_library(root, path) for path in libraries(programs)]
    inside = {owner(path) for path in real} | {owner(CERTIFICATES) or "ca-certificates", "tzdata"}
    compiled = {each for each in COMPILED_IN if subprocess.run(["dpkg", "-s", each], capture_output=True, check=False).returncode == 0}
    write_packages(root, sorted(inside - {None}))
    packages = [describe(each) for each in sorted((inside | compiled) - {None})]
    target = root / "usr/share" / name / "sbom.spdx.json"
    target.parent.mkdir(parents=True)
    target.write_text(json.dumps(bill_of_materials(name, version, packages, seconds), indent=1) + "\n")
    date_all(root, seconds)


def main():
    parser = argparse.ArgumentParser(description="Puts programs and what they need to run into a folder.")
    parser.add_argument("folder")
    parser.add_argument("programs", nargs="+")
    parser.add_argument("--name", default="millrace")
    parser.add_argument("--version", default="0")
    given = parser.parse_args()
    build(given.folder, given.programs, given.name, given.version)


if __name__ == "__main__":
    main()
