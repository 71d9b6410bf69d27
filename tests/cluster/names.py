#!/usr/bin/env python3
"""Names of Services for the pods of the node: A records of `<service>.<namespace>.svc.cluster.local`, of the addresses behind headless
ones, and of nothing else. Answers over UDP on the bridge. It stands in for CoreDNS, which a node of one machine can do without.
"""
import socket
import struct
import time

from api import Api
from layout import ADDRESS, DOMAIN

FRESH_SECONDS = 1.0
TTL_SECONDS = 1
TYPE_A = 1
NO_SUCH_NAME = 3
SUFFIX = f".svc.{DOMAIN}"


class Services:
    """Addresses by (service, namespace), as the API server has them, at most FRESH_SECONDS old."""

    def __init__(self):
        self.api = Api()
        self.read_at, self.known = 0.0, {}

    def read(self):
        behind = {}
        for each in self.api.items("/api/v1/endpoints"):
            key = (each["metadata"]["name"], each["metadata"]["namespace"])
            behind[key] = [address["ip"] for subset in each.get("subsets") or [] for address in subset.get("addresses") or []]
        known = {}
        for each in self.api.items("/api/v1/services"):
            key = (each["metadata"]["name"], each["metadata"]["namespace"])
            address = each["spec"].get("clusterIP", "None")
            known[key] = behind.get(key, []) if address == "None" else [address]
        return known

    def addresses(self, name):
        """Of a full name; None when there is no such name. What was last known, while the API server does not answer."""
        if time.monotonic() - self.read_at > FRESH_SECONDS:
            try:
                self.known, self.read_at = self.read(), time.monotonic()
            except OSError as error:
                print(f"names: {error}", flush=True)
        parts = name.removesuffix(SUFFIX).split(".")
        return self.known.get(tuple(parts)) if name.endswith(SUFFIX) and len(parts) == 2 else None


def question(packet):
    """(name, type, end of the question)."""
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("ascii", "replace").lower())
        at += 1 + packet[at]
    return ".".join(labels), struct.unpack("!H", packet[at + 1:at + 3])[0], at + 5


def answer(packet, services):
    name, kind, end = question(packet)
    found = services.addresses(name)
    code = NO_SUCH_NAME if found is None else 0
    records = [socket.inet_aton(address) for address in found or []] if kind == TYPE_A else []
    recursion = packet[2] & 1
    header = packet[:2] + struct.pack("!BBHHHH", 0x84 | recursion, 0x80 | code, 1, len(records), 0, 0)
    return header + packet[12:end] + b"".join(struct.pack("!HHHIH", 0xC00C, TYPE_A, 1, TTL_SECONDS, 4) + each for each in records)


def main():
    services = Services()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((ADDRESS, 53))
        while True:
            packet, client = server.recvfrom(4096)
            try:
                server.sendto(answer(packet, services), client)
            except (IndexError, struct.error):
                continue  # not a question


if __name__ == "__main__":
    main()
