"""Servers that hang, drip and freeze, beside healthy ones: a job has its end, and nobody is held up by another's."""

import os
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from connectors.sftp.session import SFTPSession
from connectors.types.test_results import Steps
from exports import push_service
from exports.models import ERPExport, Lane
from exports.models.status import ExportStatus
from exports.push_service import PushRequest
from orderflow.orders.models import DraftOrder
from orderflow.orders.status import OrderStatus
from orderflow.tenancy.models import Organization
from tests.bench.bench import BEAT, WORKER, Bench, until
from tests.bench.drops import connection_config, dropzone_settings
from tests.bench.results import Bar, Result, Table, at_most, number, percentile
from tests.bench.site import tenants
from tests.servers.proxies.stalling_proxy import Stalling, StallingServers, stalling_proxy, stalling_servers
from tests.servers.sftp.openssh import OpenSSHServer, openssh_server
from tests.support import rows
from tests.trials.runner import Torture

WORKERS = 4
TIMEOUT_S, JOB_LIMIT_S, LATE_S = 1, 3, 5
PUSHES_PER_S = 3
# So many of the healthy ones have their connection in the organization whose other servers are all dead.
IN_BAD_COMPANY = 2
TASK = re.compile(r"exports\.tasks\.(?:drain_lane|poll_acks)\[[^]]*\] (succeeded|raised[^:]*)(?: in |: )([0-9.]*)")


@dataclass(frozen=True, kw_only=True)
class _Load:
    """Pushes onto the healthy connections, one after the other, so many a second; `count` is a multiple of theirs."""

    healthy: Sequence[ERPConnection]
    count: int

    def run(self) -> list[float]:
        """Seconds from each push to its SENT."""
        rows.add_approved(self.healthy, self.count)
        by_organization = _approved(self.healthy)
        started = time.monotonic()
        pushed = []
        for n in range(self.count):
            connection = self.healthy[n % len(self.healthy)]
            order = by_organization[connection.organization_id].pop()
            time.sleep(max(0, started + n / PUSHES_PER_S - time.monotonic()))
            pushed.append(push_service.push(PushRequest(order=order, actor="ops", connection=connection)).pk)
        mine = ERPExport.objects.filter(pk__in=pushed)
        until(lambda: not mine.exclude(status=ExportStatus.SENT).exists(), within_s=120, every_s=0.1)
        times = mine.values_list("created_at", "sent_at")
        return [(sent - created).total_seconds() for created, sent in times if sent]


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """Seconds from a push to SENT, alone and beside the bad servers; seconds of each job; connections left open."""

    undisturbed: Sequence[float]
    disturbed: Sequence[float]
    durations: Sequence[float]
    left_open: int


def run(torture: Torture) -> Result:
    healthy_count, bad_count = torture.size(20, 6), torture.size(100, 6)
    os.environ |= {
        "LOG_LEVEL": "INFO",
        "LEASE_S": "5",
        "JOB_LIMIT_S": str(JOB_LIMIT_S),
        "DELIVERY_SLICE_S": "2",
        "SWEEP_INTERVAL_S": "1",
        "ACK_POLL_INTERVAL_S": "30",
    }
    with openssh_server(torture.folder / "sshd") as sshd:
        bench = Bench(quick=torture.quick, folder=torture.folder, sshd=sshd)
        kinds = _kinds(bad_count, sshd, random.Random(torture.seed))
        healthy = _healthy(bench, healthy_count)
        with (
            stalling_servers(kinds) as servers,
            bench.running(*WORKER, str(WORKERS)),
        ):
            load = _Load(healthy=healthy, count=torture.size(440, 18))
            with bench.running(*BEAT, ready="is starting"):
                # Sessions are open and code is loaded, as in a worker that has been up for a while.
                _Load(healthy=healthy, count=torture.size(60, 12)).run()
                undisturbed = load.run()
                bad = _connect_bad(bench, servers, healthy[0].organization)
                _push_onto(bad)
                disturbed = load.run()
                until(lambda: _met(bad) == len(bad), within_s=60 + 5 * bad_count, every_s=0.5)
            until(_is_at_rest, within_s=60, every_s=0.2)
            left = servers.connected
    durations = _durations(torture.folder)
    seen = _Seen(undisturbed=undisturbed, disturbed=disturbed, durations=durations, left_open=left)
    # A few pushes on a busy machine scatter more than that; a worker that a dead server keeps costs a second each time.
    return _result(seen, bad, setup=torture.setup, grace_s=0.5 if torture.quick else 0)


def _kinds(count: int, sshd: OpenSSHServer, chance: random.Random) -> list[Stalling]:
    """A third each: silent from the beginning; in drops, from the beginning or somewhere on the way; frozen once
    somebody has logged in."""
    logged_in, begun = _sizes(sshd)
    hung = [Stalling(upstream=None) for _ in range(count // 3)]
    dripping = [
        Stalling(upstream=None, drip_s=0.1)
        if n % 2
        else Stalling(upstream=sshd.port, allow=chance.randrange(begun), drip_s=0.1)
        for n in range(count // 3)
    ]
    frozen = [
        Stalling(upstream=sshd.port, allow=chance.randrange(logged_in, begun + 300))
        for _ in range(count - len(hung) - len(dripping))
    ]
    return [*hung, *dripping, *frozen]


def _sizes(sshd: OpenSSHServer) -> tuple[int, int]:
    """How many bytes the server sends until somebody has logged in, and until SFTP has begun."""
    seen: dict[str, int] = {}
    with stalling_proxy(sshd.port) as proxy:
        target = dropzone_settings(connection_config(sshd, proxy.port, "in")).target
        assert target
        SFTPSession(target, steps=Steps(on_step=lambda step: seen.update({step.name: proxy.passed}))).close()
    return seen["log in"], seen["start SFTP"]


def _healthy(bench: Bench, count: int) -> list[ERPConnection]:
    crowded = tenants.connect(bench, "crowded", ways=IN_BAD_COMPANY)
    return [*crowded, *tenants.connect(bench, "healthy", organizations=count - IN_BAD_COMPANY)]


def _connect_bad(bench: Bench, servers: StallingServers, crowded: Organization) -> list[ERPConnection]:
    """Every other one in the one organization, each of the rest in its own."""
    made = []
    for n, port in enumerate(servers.ports):
        organization = crowded if n % 2 else Organization.objects.create(name=f"Bad {n}", slug=f"bad-{n}")
        config = connection_config(bench.sshd, port, "in", ack_path="acks", timeout_s=TIMEOUT_S)
        row = ERPConnection(organization=organization, connector_type="DROPZONE_JSON_V1")
        made.append(connection_service.save(row, ConnectionChanges(name=f"Bad {n}", config=config), actor="torture"))
    rows.add_customers([connection for connection in made if connection.organization != crowded])
    return made


def _push_onto(bad: Sequence[ERPConnection]) -> None:
    rows.add_approved(bad, len(bad))
    by_organization = _approved(bad)
    for connection in bad:
        order = by_organization[connection.organization_id].pop()
        push_service.push(PushRequest(order=order, actor="ops", connection=connection))


def _approved(connections: Sequence[ERPConnection]) -> dict[object, list[DraftOrder]]:
    organizations = {connection.organization_id for connection in connections}
    orders = DraftOrder.objects.filter(organization__in=organizations, status=OrderStatus.APPROVED)
    found: dict[object, list[DraftOrder]] = {organization: [] for organization in organizations}
    for order in orders.select_related("organization"):
        found[order.organization_id].append(order)
    return found


def _met(bad: Sequence[ERPConnection]) -> int:
    lanes = Lane.objects.filter(connection__in=bad, kind=Lane.Kind.DELIVERY, leased_until=None)
    return lanes.exclude(last_error="").count()


def _is_at_rest() -> bool:
    return not Lane.objects.exclude(leased_until=None).exists()


def _durations(folder: Path) -> list[float]:
    """Of each job, as the worker's log has it."""
    logs = "".join(log.read_text(errors="replace") for log in folder.glob("*.log"))
    return [float(seconds) for _, seconds in TASK.findall(logs) if seconds]


def _result(seen: _Seen, bad: Sequence[ERPConnection], *, setup: str, grace_s: float) -> Result:
    undisturbed, disturbed, durations, left = seen.undisturbed, seen.disturbed, seen.durations, seen.left_open
    before, after = (percentile(series, 95) for series in (undisturbed, disturbed))
    sent = ERPExport.objects.filter(connection__in=bad, status=ExportStatus.SENT).count()
    met = _met(bad)
    return Result(
        told=(
            f"{len(bad)} servers, a third each: silent from the first byte; answering in single bytes, from the banner "
            f"on or from anywhere on the way; frozen after the log-in. Half of them belong to one organization, beside "
            f"{IN_BAD_COMPANY} healthy connections of it; the others to one each. {len(undisturbed)} pushes, "
            f"{PUSHES_PER_S} a second, onto healthy connections to OpenSSH, first alone, then with an order waiting "
            f"for each of those servers. {setup}, beat, one `celery worker` with {WORKERS} processes, "
            f"`SUSPECT_LANES` {settings.SUSPECT_LANES}, `LANES_PER_ORGANIZATION` {settings.LANES_PER_ORGANIZATION}, "
            f"timeout {TIMEOUT_S} s, `JOB_LIMIT_S` {JOB_LIMIT_S}."
        ),
        tables=[
            Table(
                title="Seconds from a push to SENT, healthy connections",
                columns=("run", "median", "p95", "longest"),
                rows=[
                    (name, *(number(percentile(series, percent)) for percent in (50, 95, 100)))
                    for name, series in (("undisturbed", undisturbed), ("beside them", disturbed))
                ],
            ),
            Table(
                title="Jobs",
                columns=("jobs", "longest, s", "servers met", "connections left open"),
                rows=[(str(len(durations)), number(max(durations)), f"{met} of {len(bad)}", str(left))],
            ),
        ],
        bars=[
            at_most("the longest job, its deadline taken off", LATE_S, max(durations) - JOB_LIMIT_S, "s"),
            Bar(
                figure="p95 from a push to SENT, healthy connections beside them",
                bar=f"at most 2 x {number(before)} s" + (f" + {grace_s:g} s" if grace_s else ""),
                value=f"{number(after)} s",
                met=after <= 2 * before + grace_s,
            ),
            at_most("servers that no job came to", 0, len(bad) - met, ""),
            at_most("orders told to be SENT to a server that never took one", 0, sent, ""),
            at_most("connections to them that are left open when the workers rest", 0, left, ""),
        ],
    )
