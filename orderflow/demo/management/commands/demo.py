import argparse
import signal
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orderflow.demo.environment import entered
from orderflow.demo.run import run
from orderflow.demo.subprocesses import ChildDied

SAMPLES = 200


class Command(BaseCommand):
    help = (
        "Run everything on this machine: web, worker, beat and a stand-in ERP behind SFTP. Sample orders are "
        "imported, approved and pushed, and followed until the ERP has answered. Then it stays up until Ctrl-C."
    )

    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="stop when every order has its answer; exit code 1 when one has not"
        )
        parser.add_argument(
            "--orders", type=_orders, default=SAMPLES, metavar="N", help=f"how many, 1 to {SAMPLES} (default: all)"
        )
        parser.add_argument("--port", type=int, default=0, metavar="N", help="of the admin (default: a free one)")

    def handle(self, *_args: Any, **options: Any) -> None:
        if not entered():
            raise CommandError("The demo has settings of its own. Start it with `python manage.py demo`.")
        _end_in_order()
        try:
            run(orders=options["orders"], once=options["once"], port=options["port"])
        except ChildDied as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")
            sys.exit(130 if options["once"] else 0)


def _orders(text: str) -> int:
    count = int(text)
    if not 1 <= count <= SAMPLES:
        raise argparse.ArgumentTypeError(f"There are {SAMPLES} sample orders: choose 1 to {SAMPLES}.")
    return count


def _end_in_order() -> None:
    """Whatever asks the demo to end, its processes end first. Under nohup a closed terminal does not ask."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if name != signal.SIGHUP or signal.getsignal(name) is not signal.SIG_IGN:
            signal.signal(name, signal.default_int_handler)
