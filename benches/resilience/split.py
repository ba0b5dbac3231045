"""Network splits between the registry, a primary and its synchronous standby, under callers."""

import contextlib
import time

import people
from environment import Environment, Server
from failover import people_at, seconds_until_success
from network import NETWORK, ONE, REGISTRY, TWO, Namespaces, Relays, build
from postgres import Cluster
from report import Report, note
from writers import Callers, audit

# Seconds within which the registry writes again.
LIMIT = 5
# How soon a standby notices that its primary is gone, and asks again. The default is a minute.
TIMEOUTS = {"wal_receiver_timeout": "3s", "wal_retrieve_retry_interval": "500ms"}


def split(environment: Environment, report: Report) -> None:
    """Cuts each link, and then lets two primaries live on both sides of a cut, twice."""
    network, which = build()
    note(f"split: {which}")
    with contextlib.closing(network), contextlib.ExitStack() as stack:
        pair = Pair(environment, network)
        stack.callback(pair.stop)
        server = pair.registry(environment)
        before = people.total(server.client())
        writers, rereaders = (8, 2) if environment.quick else (24, 8)
        callers = Callers(server, writers, readers=4, rereaders=rereaders).start()
        time.sleep(2)
        for one, other, said in (
            (REGISTRY, ONE, "the registry from the primary"),
            (ONE, TWO, "the primary from its synchronous standby"),
            (REGISTRY, TWO, "the registry from the standby"),
        ):
            cut_once(report, network, callers, (one, other), said, seconds=5 if environment.quick else 15)
        two_primaries(report, pair, callers, alone=True)
        two_primaries(report, pair, callers, alone=False)
        time.sleep(1)
        ended = callers.finish()
        ledger = audit(server, callers, before)
        name = network.name
        report.judge(
            "split",
            f"splits ({name}) under {writers + rereaders} writers: nothing acknowledged is lost, nothing is double",
            f"{ledger}; {len(callers.unexpected)} unexpected answers",
            ended and ledger.balances and not callers.unexpected,
        )
        report.judge(
            "split",
            "no read goes back behind what its client wrote",
            f"{len(callers.missed)} missed",
            not callers.missed,
        )
        failed = [event for event in callers.events if not event.succeeded]
        final = sorted({f"{event.status} {event.code}" for event in failed if not event.retryable})
        report.judge(
            "split",
            "every error says that it may be retried, with Retry-After",
            f"{len(failed)} of {len(callers.events)} requests failed, not marked: {', '.join(final) or 'none'}",
            bool(failed) and not final,
        )
        server.stop()


class Pair:
    """A primary and its synchronous standby. They change their roles."""

    def __init__(self, environment: Environment, network: Namespaces | Relays) -> None:
        self.network, self.database = network, environment.new_database()
        backup = environment.folder / "split-backup"
        environment.cluster.base_backup(backup)
        clusters = [
            Cluster(environment.folder, f"split-{name}", copy_of=backup, namespace=network.namespace(name))
            for name in (ONE, TWO)
        ]
        self._names = dict(zip(clusters, (ONE, TWO)))
        self.primary, self.standby = clusters
        self.primary.admit(NETWORK)
        self.primary.configure(synchronous_standby_names="*", **TIMEOUTS)
        self.primary.start()
        self._follow()

    def _follow(self) -> None:
        name, target = self._names[self.standby], self._names[self.primary]
        self.standby.follow(self.primary, self.network.address(name, target, self.primary.port))

    def registry(self, environment: Environment) -> Server:
        """Starts a registry that writes at the primary and reads at the standby."""
        places = [self.network.address(REGISTRY, name, cluster.port) for cluster, name in self._names.items()]
        hosts = ",".join(f"{host}:{port}" for host, port in places)
        host, port = places[1]
        replica = {"DATABASE_REPLICA_URL": f"postgres://postgres@{host}:{port}/{self.database}"}
        return Server(environment, f"postgres://postgres@{hosts}/{self.database}", settings=replica).start()

    def cut(self, alone: bool) -> None:
        """Cuts the primary from its standby, and from the registry if it shall be alone."""
        self.network.cut(ONE, TWO)
        if alone:
            self.network.cut(REGISTRY, self._names[self.primary])

    def heal(self) -> None:
        self.network.heal(ONE, TWO)
        for name in (ONE, TWO):
            self.network.heal(REGISTRY, name)

    def promote(self) -> Cluster:
        """Makes the standby the primary, without a standby of its own. Returns the former one."""
        self.standby.set(synchronous_standby_names="")
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary
        return self.standby

    def rejoin(self) -> None:
        """Makes the former primary the synchronous standby of its successor."""
        self._follow()
        self.primary.set(synchronous_standby_names="*")

    def stop(self) -> None:
        for cluster in self._names:
            cluster.stop()


def cut_once(
    report: Report, network: Namespaces | Relays, callers: Callers, link: tuple[str, str], said: str, seconds: float
) -> None:
    """Cuts one link for some seconds."""
    network.cut(*link)
    begun = time.monotonic()
    time.sleep(seconds)
    healed = time.monotonic()
    network.heal(*link)
    back = seconds_until_success(callers, healed)
    sent = [event for event in callers.between(begun + 0.5, healed) if event.writes]
    done = sum(event.succeeded and event.ended < healed for event in sent)
    report.judge(
        "split",
        f"{said}, cut for {seconds} s: writes within {LIMIT} s of its end",
        f"{back:.1f} s; meanwhile {done} of {len(sent)} writes were acknowledged",
        back <= LIMIT,
    )
    time.sleep(2)


def two_primaries(report: Report, pair: Pair, callers: Callers, alone: bool) -> None:
    """Promotes the standby while the primary lives on, on the other side of a split, and lets both take writes."""
    pair.cut(alone)
    # Commits wait for the standby meanwhile.
    time.sleep(2)
    former = pair.promote()
    promoted = time.monotonic()
    gap = seconds_until_success(callers, promoted)
    # Somebody lets the former primary go on without its standby: commits that wait there are acknowledged late.
    former.set(synchronous_standby_names="")
    time.sleep(1)
    before = people_at(former, pair.database)
    pair.heal()
    time.sleep(5)
    added = people_at(former, pair.database) - before
    where = "alone" if alone else "reached by the registry"
    # What a writer had sent when the network was cut can arrive when it heals. Nobody is told that it was done.
    under_way = callers.writers if alone else 0
    report.judge(
        "split",
        f"two primaries, the former one {where}: writes at the new one within {LIMIT} s, and none at the former one "
        "after it takes writes again, but for those that were under way when the network was cut",
        f"{gap:.1f} s; {added} people added there in 5 s, of at most {under_way} under way",
        gap <= LIMIT and added <= under_way,
    )
    pair.rejoin()
    healed = time.monotonic()
    back = seconds_until_success(callers, healed)
    report.judge(
        "split",
        f"and within {LIMIT} s once the former primary is its standby",
        f"{back:.1f} s",
        back <= LIMIT,
    )
    time.sleep(2)
