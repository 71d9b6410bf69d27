"""What else goes wrong around the workers: the only broker of Kafka, and parts of the state."""

import time

from fleet import LEASE_SECONDS, Broken
from recovery import recover
from redis_cases import stops

# --- F20 to F24: Kafka -------------------------------------------------------------------------------------------------------------


def kafka_killed(session):
    """The only broker dies and comes back: everybody waits, nobody ends."""
    cluster = session.flow.cluster

    def before():
        cluster.kill(1)
        time.sleep(LEASE_SECONDS)
        cluster.restart(1)

    return recover(session, before)


def kafka_stands_still(session):
    """Longer than the lease: what was sent is carried out when nobody expects it any more."""
    cluster = session.flow.cluster

    def before():
        cluster.pause(1)
        time.sleep(LEASE_SECONDS * 2)
        cluster.resume(1)

    return recover(session, before)


# --- F08: parts of the state are gone ----------------------------------------------------------------------------------------------------


def lose(change):
    """All workers are killed, the store loses or damages something, and others start: they must refuse."""

    def case(session):
        flow = session.flow
        flow.kill(*flow.running())
        change(session, session.redis.client())
        flow.fill(2)
        return stops(session)

    return case


def lose_report(session, client):
    flow = session.flow
    key = f"mr:{{default/{flow.name}/{flow.name}}}:prepared:{flow.ask('commit', 'generation')}:{flow.committed()}"
    if client.call("HDEL", key, "0") != 1:
        raise Broken(f"{key} is not there")


def newest_blob(session, client):
    """The name of a blob that the commit reaches, for sure: the newest of a group at or before the committed batch."""
    flow = session.flow
    for group in range(12):
        base = f"mr:{{default/{flow.name}/{flow.name}/{group}}}"
        names = client.call("ZREVRANGEBYSCORE", base + ":i", flow.committed(), "-inf", "LIMIT", 0, 1)
        if names:
            return f"{base}:{names[0]}"
    raise Broken("there is no blob")


def lose_blob(session, client):
    client.call("DEL", newest_blob(session, client))


def damage_blob(session, client):
    client.call("APPEND", newest_blob(session, client), "x")
