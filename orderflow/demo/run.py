"""The demo from its start to its end: everything up, orders to the ERP and back, everything down."""

import logging
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from exports.models.status import LIVE
from orderflow.demo import scenario, services
from orderflow.demo.console import Bars, Screen, short
from orderflow.demo.environment import write_env_file
from orderflow.demo.erp.server import HOST, Access, running_erp
from orderflow.demo.lock import fresh_folder
from orderflow.demo.subprocesses import Children
from orderflow.orders.importing.source import Source
from orderflow.tenancy.models import Organization

ANSWERED_WITHIN_S = 120
LOOK_EVERY_S = 0.1


def run(*, orders: int, once: bool, port: int) -> None:
    """Raises `CommandError`, and `ChildDied` when one of its processes ends too early."""
    folder, screen = Path(settings.DATA_DIR), Screen()
    # The progress is on this terminal; the log of each process is in its file.
    logging.getLogger("exports").setLevel(logging.WARNING)
    with ExitStack() as stack:
        lock = stack.enter_context(fresh_folder(folder))
        listener = stack.enter_context(services.listen(port))
        screen.title(f"OrderFlow brings {orders} orders to an ERP, and its answers back")
        write_env_file()
        demo = Demo(
            folder=folder,
            access=stack.enter_context(running_erp(folder / "erp")),
            children=stack.enter_context(Children(folder, lock)),
            screen=screen,
            port=listener.getsockname()[1],
        )
        stack.callback(screen.say, "Stopping.")
        demo.start_processes(listener)
        demo.play(scenario.sample_orders(orders), within_s=ANSWERED_WITHIN_S if once else None)
        if not once:
            demo.stay_up()


@dataclass(frozen=True, kw_only=True, slots=True)
class Demo:
    folder: Path
    access: Access
    children: Children
    screen: Screen
    port: int

    def start_processes(self, listener: socket.socket) -> None:
        """Beat comes last: its first tasks need the tables."""
        services.start_web(self.children, listener)
        services.start_worker(self.children)
        call_command("migrate", verbosity=0)
        services.start_beat(self.children)
        self.screen.done("Database", short(self.folder / "orderflow.sqlite3"))
        self.screen.done("Processes", f"web, worker and beat, with logs in {short(self.folder)}/*.log")
        self.screen.done("ERP", f"a stand-in at {self.access}")

    def play(self, source: Source, *, within_s: float | None) -> None:
        organization = scenario.create_organization()
        password = scenario.create_administrator(organization)
        self._connect(organization)
        self._bring(source, organization, within_s)
        self._tell_addresses(password)

    def stay_up(self) -> None:
        self.screen.say("Everything stays up until Ctrl-C.")
        while True:
            self.children.check()
            time.sleep(LOOK_EVERY_S)

    def _connect(self, organization: Organization) -> None:
        result = scenario.create_connection(organization, self.access)
        if not result.success:
            raise CommandError(f"The connection to the ERP does not work. {result.error_message}")
        self.screen.done("Connection", f"{len(result.steps)} steps tested in {result.latency_ms} ms")

    def _bring(self, source: Source, organization: Organization, within_s: float | None) -> None:
        start = time.monotonic()
        with self.screen.bars(len(source.orders)) as bars:
            scenario.import_samples(source, organization, lambda done: bars.show("Imported", done))
            for done in scenario.approve_all(organization):
                bars.show("Approved", done)
            pushed = time.monotonic()
            for done in scenario.push_all(organization):
                bars.show("Pushed", done)
                bars.show_states(scenario.counts(organization))
            self._watch(organization, bars, pushed + within_s if within_s else None)
        self.screen.result(
            scenario.counts(organization), scenario.refusals(organization), seconds=time.monotonic() - start
        )

    def _watch(self, organization: Organization, bars: Bars, end: float | None) -> None:
        while True:
            counts = scenario.counts(organization)
            bars.show_states(counts)
            missing = sum(counts[state] for state in LIVE)
            if not missing:
                return
            self.children.check()
            if end and time.monotonic() > end:
                raise CommandError(self._unanswered(missing))
            time.sleep(LOOK_EVERY_S)

    def _unanswered(self, missing: int) -> str:
        return (
            f"{missing} {'order is' if missing == 1 else 'orders are'} without an answer after {ANSWERED_WITHIN_S} s. "
            f"Look into {short(self.children.log('worker'))}."
        )

    def _tell_addresses(self, password: str) -> None:
        services.wait_for_web(self.children, self.port)
        self.screen.addresses(
            {
                "Dropzone": short(self.folder / "erp"),
                "Admin": f"http://{HOST}:{self.port}/admin/",
                "User": scenario.USERNAME,
                "Password": password,
                "Commands": f"ENV_FILE={short(self.folder)}/.env .venv/bin/python manage.py help",
            }
        )
