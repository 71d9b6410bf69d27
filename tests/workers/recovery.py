"""What every case ends with: the job commits again, and the longest time in which it did not."""

import threading
import time


class Gaps:
    """The longest time between two commits while the block runs, from its beginning on."""

    def __init__(self, fleet):
        self.fleet, self.longest = fleet, 0.0
        self._end = threading.Event()

    def __enter__(self):
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _watch(self):
        since, last = time.monotonic(), self.fleet.committed()
        while not self._end.wait(0.01):
            batch, now = self.fleet.committed(), time.monotonic()
            self.longest = max(self.longest, now - since)
            if batch > last:
                since, last = now, batch


def recover(session, before=None):
    """The job commits again; then three workers run and the outputs are right. Seconds without a commit."""
    flow = session.flow
    with Gaps(flow) as gaps:
        if before:
            before()
        flow.wait_batches()
    flow.fill(3)
    flow.wait_slots(3)
    flow.settle()
    return gaps.longest
