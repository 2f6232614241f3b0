"""What an import command came to."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import CommandError, call_command


class Outcome:
    """What the command printed and the code that it would end with."""

    def __init__(self, path: Path, *arguments: str) -> None:
        out, err = StringIO(), StringIO()
        self.code, self.message = 0, ""
        try:
            call_command("import_orders", str(path), "--organization", "acme", *arguments, stdout=out, stderr=err)
        except CommandError as error:
            self.code, self.message = error.returncode, str(error)
        self.out, self.err = out.getvalue(), err.getvalue()

    @property
    def counts(self) -> dict[str, int]:
        return {name.strip(): int(count) for name, _, count in (line.rpartition(" ") for line in self.out.splitlines())}

    @property
    def json(self) -> dict[str, Any]:
        summary: dict[str, Any] = json.loads(self.out)
        return summary
