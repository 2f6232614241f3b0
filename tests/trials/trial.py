"""`python -m tests.trials.trial name result.json --seed N [--quick] [--database sqlite]`: one trial, in a process of
its own."""

import argparse
import importlib
import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import pytest

from tests.trials.faults import DATABASES, NAMES, SERVERS, databases_of
from tests.trials.runner import torture

# Of the process: a server that the trial needs is not installed.
MISSING = 77


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.trials.trial", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("result", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--database", choices=DATABASES, help="with its broker; none: the trial's first")
    options = parser.parse_args()
    on_servers = (options.database or databases_of(options.name)[0]) == SERVERS
    # Asked to end, it ends its servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        with torture(quick=options.quick, seed=options.seed, on_servers=on_servers) as place:
            # It may import models, so that it is read here, behind Django's setup.
            module: ModuleType = importlib.import_module(f"tests.trials.faults.{options.name}")
            options.result.write_text(json.dumps(asdict(module.run(place))))
    except pytest.skip.Exception as missing:
        sys.stderr.write(f"{missing}\n")
        sys.exit(MISSING)


if __name__ == "__main__":
    main()
