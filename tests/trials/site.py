"""The whole product over OpenSSH, with PostgreSQL and Redis or with SQLite and the embedded broker: web, workers and
beat as processes, orders that may be pushed, an ERP at the other end, and somebody who pushes over HTTP."""

import http.client
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from uuid import UUID

from django.db.models import F

from connectors.models import ERPConnection
from exports.delivery import cleanup
from exports.models import ERPExport
from exports.models.status import LIVE
from orderflow.orders.models import DraftOrder
from tests.bench.bench import Bench
from tests.bench.site import tenants
from tests.servers.redis import wait_until_listening
from tests.servers.sftp.openssh import openssh_server
from tests.support import rows
from tests.support.installation import Installation
from tests.trials.erp import ERP, working_erp
from tests.trials.runner import Torture

WORKERS = ("worker-1", "worker-2")
CONNECTIONS = 4
STARTS_WITHIN_S = 60
ANSWERS_WITHIN_S = 60
LOOKS_EVERY_S = 0.2
# Characters of each process's log, when the trial breaks off.
LOG_TOLD = 4000


@dataclass(frozen=True, kw_only=True)
class Site:
    """`pushed` has the orders whose push was answered with 202 or, asked once more, with 200."""

    installation: Installation
    connections: Sequence[ERPConnection]
    orders: Sequence[UUID]
    erp: ERP
    places: Sequence[Path]
    pushed: list[UUID] = field(default_factory=list)
    repeated: list[UUID] = field(default_factory=list)

    def push(self, orders: Sequence[UUID], pause_s: float) -> None:
        """Over each connection in turn; as an integrator does, with a key, and again until there is an answer."""
        for order, connection in zip(orders, cycle(self.connections), strict=False):
            time.sleep(pause_s)
            end = time.monotonic() + ANSWERS_WITHIN_S
            while not self._is_answered(order, connection):
                self.repeated.append(order)
                if time.monotonic() > end:
                    raise TimeoutError(f"The push of order {order} got no answer within {ANSWERS_WITHIN_S} s.")
                time.sleep(LOOKS_EVERY_S)
            self.pushed.append(order)

    def _is_answered(self, order: UUID, connection: ERPConnection) -> bool:
        """Any answer that is neither a success nor a fault of the server's is a defect, but that an earlier call, which
        broke off here, still runs there."""
        body, key = {"connection": str(connection.pk)}, {"Idempotency-Key": f"push-{order}"}
        try:
            status, answer = self.installation.call("POST", f"draft-orders/{order}/push/", body, **key)
        except (OSError, http.client.HTTPException):
            return False
        if status == 409 and answer["code"] == "still_running":
            return False
        if status not in (200, 202) and status < 500:
            raise AssertionError(f"The push of order {order} was answered with {status}: {answer}")
        return status < 300

    def settled_within(self, most_s: float) -> float:
        """Seconds until every export has its answer and the ERP has taken every document; `most_s` if not within them.

        A killed attempt may leave a temporary file: only the clean-up a day later may remove it, see `leftovers`.
        """
        started = time.monotonic()
        while not self._is_settled():
            if time.monotonic() - started > most_s:
                break
            time.sleep(LOOKS_EVERY_S)
        return time.monotonic() - started

    def _is_settled(self) -> bool:
        waiting = any(file.suffix == ".json" for file in self.files())
        return not waiting and not ERPExport.objects.filter(status__in=LIVE).exists()

    def files(self) -> list[Path]:
        return [file for place in self.places for file in (place / "in").iterdir()]

    def leftovers(self) -> tuple[list[Path], list[Path]]:
        """The files of which the dropzones are not rid now, and those of which the clean-up a day later does not rid
        them."""
        now = self.files()
        day = timedelta(days=1, hours=1)
        ERPExport.objects.update(settled_at=F("settled_at") - day, sent_at=F("sent_at") - day)
        for connection in self.connections:
            cleanup.tidy_up(connection.pk)
        return now, self.files()


@contextmanager
def site(torture: Torture, count: int, pools: Mapping[str, str] | None = None) -> Iterator[Site]:
    """`count` orders; every process is up. `pools` has the pools of workers other than prefork."""
    with ExitStack() as stack:
        sshd = stack.enter_context(openssh_server(torture.folder / "sshd"))
        bench = Bench(quick=torture.quick, folder=torture.folder, sshd=sshd)
        connections = tenants.connect(bench, "torture", ways=CONNECTIONS)
        rows.add_approved(connections, count)
        _, token = tenants.somebody(connections[0].organization)
        settings = dict.fromkeys(("RATE_PUSH", "RATE_PUSH_ORGANIZATION"), "1000000/min")
        # Where SQLite and the embedded broker are, for this process and for those that it starts.
        settings["DATA_DIR"] = os.environ["DATA_DIR"]
        installation = Installation(folder=torture.folder / "site", settings=settings, token=token, pools=pools or {})
        installation.folder.mkdir()
        stack.callback(installation.stop)
        for name in ("web", *WORKERS, "beat"):
            installation.start(name)
        places = [tenants.dropzone_of(bench, connection) for connection in connections]
        erp = stack.enter_context(working_erp(places, torture.seed))
        wait_until_listening(installation.port, STARTS_WITHIN_S)
        orders = list(DraftOrder.objects.order_by("created_at").values_list("pk", flat=True))
        try:
            yield Site(installation=installation, connections=connections, orders=orders, erp=erp, places=places)
        except Exception:
            for log in sorted(installation.folder.glob("*.log")):
                sys.stderr.write(f"--- the end of {log.name}\n{log.read_text(errors='replace')[-LOG_TOLD:]}\n")
            raise
