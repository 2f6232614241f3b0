import signal
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orderflow.demo.erp.server import Access, running_erp

STOPPING = {signal.SIGINT, signal.SIGTERM}


class Command(BaseCommand):
    help = (
        "Run a stand-in ERP: an SFTP server on a loopback port that takes orders from in/ and answers into acks/. "
        "It prints what a connection to it needs, and stays up until Ctrl-C."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="where its files are kept; it is made when it is missing")
        parser.add_argument("--port", type=int, default=0, help="default: a free one")

    def handle(self, *_args: Any, **options: Any) -> None:
        # Blocked before its thread starts, a signal waits for sigwait and interrupts nothing.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            with running_erp(options["folder"], port=options["port"]) as access:
                self._introduce(access, options["folder"])
                signal.sigwait(STOPPING)
        except OSError as error:
            raise CommandError(f"The stand-in ERP cannot start: {error}. Choose another folder or --port.") from error

    def _introduce(self, access: Access, folder: Path) -> None:
        key = folder / "client_key"
        key.unlink(missing_ok=True)
        key.touch(mode=0o600)
        key.write_text(access.private_key)
        self.stdout.write(f"address:     {access}")
        self.stdout.write(f"host key:    {access.host_key}")
        self.stdout.write(f"private key: {key}")
        self.stdout.write("folder for orders:  /in")
        self.stdout.write("folder for answers: /acks")
        self.stdout.flush()
