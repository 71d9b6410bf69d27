"""Redis moves: to a replica that takes over from its primary, and slot by slot to other nodes of a Cluster."""

import time

from fleet import Broken, wait
from recovery import recover
from redis_cases import stops
from server import HOST, Server

REPLICA_OPTIONS = {"appendonly": "yes", "appendfsync": "everysec"}
MISSED_BATCHES = 8
KEY_PAUSE_SECONDS = 0.02  # between two keys that move


def info(client, field):
    for line in client.call("INFO", "replication").splitlines():
        if line.startswith(field + ":"):
            return line.split(":", 1)[1]
    return ""


def add_replica(session):
    """A replica that follows session.redis and has caught up with it."""
    replica = Server(replicaof=f"{HOST} {session.redis.port}", **REPLICA_OPTIONS)
    session.servers.append(replica)
    client = replica.client()
    wait(lambda: info(client, "master_link_status") == "up", "the replica followed")
    return replica


def replace(session, replica):
    """From now on the workers' address leads to the replica, as after a failover of a service; the former primary is gone."""
    former = session.redis
    session.proxy.server_port = replica.port
    former.kill()
    session.redis = session.flow.redis = replica


def fail_over(session):
    """The primary hands over to a replica that has every write; for a second the workers still talk to the former one, which refuses."""
    replica = add_replica(session)

    def before():
        session.redis.client().call("FAILOVER", "TO", HOST, replica.port)
        client = replica.client()
        wait(lambda: info(client, "role") == "master", "the replica led")
        time.sleep(1)
        replace(session, replica)

    return recover(session, before)


def fail_over_late(session):
    """The replica was cut off some batches ago, which the primary acknowledged meanwhile: the workers' state goes back in time."""
    replica = add_replica(session)
    replica.client().call("REPLICAOF", "NO", "ONE")
    session.flow.wait_batches(MISSED_BATCHES)
    replace(session, replica)
    return stops(session)


class RedisCluster:
    """Three masters without replicas. `port` is that of the node where the keys of `home` are."""

    def __init__(self, home):
        self.nodes = [Server(cluster_enabled="yes", cluster_node_timeout="2000", enable_debug_command="yes", **REPLICA_OPTIONS)
                      for _ in range(3)]
        self.clients = [node.client() for node in self.nodes]
        for number, client in enumerate(self.clients):
            client.call("CLUSTER", "ADDSLOTSRANGE", number * 16384 // 3, (number + 1) * 16384 // 3 - 1)
            client.call("CLUSTER", "MEET", HOST, self.nodes[0].port)
        for client in self.clients:
            wait(lambda client=client: self._ready(client), "the nodes formed a cluster")
        self._home = self.slot(home)
        self._at = self.owner(self._home)

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        for node in self.nodes:
            node.__exit__(*reason)

    @staticmethod
    def _ready(client):
        text = client.call("CLUSTER", "INFO")
        return "cluster_state:ok" in text and "cluster_known_nodes:3" in text

    @property
    def address(self):
        return '", "'.join(node.address for node in self.nodes)

    @property
    def port(self):
        return self.nodes[self._at].port

    def slot(self, key):
        return self.clients[0].call("CLUSTER", "KEYSLOT", key)

    def owner(self, slot):
        for first, last, node, *_ in self.clients[0].call("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(i for i, server in enumerate(self.nodes) if server.port == node[1])
        raise Broken(f"nobody has slot {slot}")

    def move(self, key):
        """Moves the slot of `key` to the next node, key by key, as redis-cli does; the number of keys."""
        slot = self.slot(key)
        source = self.owner(slot)
        target = (source + 1) % 3
        identities = [client.call("CLUSTER", "MYID") for client in self.clients]
        self.clients[target].call("CLUSTER", "SETSLOT", slot, "IMPORTING", identities[source])
        self.clients[source].call("CLUSTER", "SETSLOT", slot, "MIGRATING", identities[target])
        moved = 0
        while keys := self.clients[source].call("CLUSTER", "GETKEYSINSLOT", slot, 10):
            for name in keys:
                self.clients[source].call("MIGRATE", HOST, self.nodes[target].port, name, 0, 5000)
                moved += 1
                time.sleep(KEY_PAUSE_SECONDS)
        for node in (target, source, 3 - source - target):
            self.clients[node].call("CLUSTER", "SETSLOT", slot, "NODE", identities[target])
        if slot == self._home:
            self._at = target
        return moved


def slots_move(session):
    """The slot of the job's record and those of its key groups move while batches run."""
    flow = session.flow
    name = f"default/{flow.name}/{flow.name}"

    def before():
        for key in ["", *(f"/{group}" for group in range(0, 12, 3)), ""]:
            moved = session.redis.move(f"mr:{{{name}{key}}}")
            if not key and moved < 5:
                raise Broken(f"only {moved} keys of the job's record were there to move")
            flow.wait_batches(2)

    return recover(session, before)


def node_killed(session):
    """The node that holds the job's record dies and comes back."""

    def before():
        cluster = session.redis
        number = next(number for number, node in enumerate(cluster.nodes) if node.port == cluster.port)
        cluster.nodes[number].kill()
        time.sleep(1)
        cluster.nodes[number].start()
        cluster.clients[number] = cluster.nodes[number].client()

    return recover(session, before)
