"""The disk that files are written to is full, and has room again later."""

import os
import subprocess
import time

from fleet import wait

SMALL, LARGE = "192k", "64m"
FULL_SECONDS = 2


class SmallDisk:
    """A file system of its own at `folder`, nearly without room."""

    def __init__(self, folder):
        self._folder = folder

    def __enter__(self):
        os.makedirs(self._folder)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", self._folder], check=True)
        return self

    def grow(self):
        subprocess.run(["mount", "-o", f"remount,size={LARGE}", self._folder], check=True)

    def __exit__(self, *_):
        subprocess.run(["umount", "--lazy", self._folder], check=True)


def possible():
    return os.geteuid() == 0


def full(check):
    """Three workers fail the batch until there is room; then every row is there once. `check` looks at what they wrote."""

    def case(session):
        fleet = session.flow
        with SmallDisk(os.path.join(fleet.root, "out")) as disk:
            fleet.fill(3)
            wait(lambda: any("No space left" in fleet.said(name) for name in fleet.workers), "the disk was full")
            begin, before = time.monotonic(), fleet.committed()
            time.sleep(FULL_SECONDS)
            disk.grow()
            wait(lambda: fleet.committed() > before, "a batch was committed")
            pause = time.monotonic() - begin
            for name in fleet.running():
                fleet.wait_end(name, (0,))
            check(fleet.root)
        return pause

    return case
