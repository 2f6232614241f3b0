"""`python -m tests.bench [names…] [--quick]`: run benchmarks, print what they came to, keep it in docs/."""

import argparse
import importlib
import logging
import signal
import sys
import time

import django
import pytest
from django.core.management import call_command

from orderflow import gc_tuning
from tests.bench import report, scaling
from tests.bench.bench import ROOT, bench
from tests.bench.benchmarks import NAMES, WITHOUT_DATABASE
from tests.bench.report import Report
from tests.bench.results import Result

DOCS = ROOT / "docs" / "measurements"
PERFORMANCE = Report(page=DOCS / "performance.md", kept=DOCS / "performance.json", names=NAMES)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"some of: {', '.join(NAMES)}; none: all")
    parser.add_argument("--quick", action="store_true", help="one small round each, to see that it works; not kept")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(NAMES)):
        parser.error(f"there is no benchmark {unknown[0]}; there are {', '.join(NAMES)}")
    names = [name for name in NAMES if name in options.names or not options.names]
    # Asked to end, it ends its servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        results = _run(names, quick=options.quick)
    except pytest.skip.Exception as missing:
        sys.exit(str(missing))
    report.show_bars(results)


def _run(names: list[str], *, quick: bool) -> dict[str, Result]:
    results = {}
    database = not WITHOUT_DATABASE.issuperset(names)
    with bench(quick=quick, database=database) as place:
        # The settings are read here, behind the environment that they come from.
        django.setup()
        # In this process only; the product's own log as they always do.
        logging.disable(logging.INFO)
        if database:
            call_command("migrate", verbosity=0)
        modules = {name: importlib.import_module(f"tests.bench.benchmarks.{name}") for name in names}
        # As every worker does.
        gc_tuning.settle()
        for name, module in modules.items():
            started = time.monotonic()
            results[name] = module.run(place)
            report.show(name, results[name], time.monotonic() - started)
            if not quick:
                scaling.write(DOCS / "scaling.md", PERFORMANCE.keep(name, results[name]))
    return results


if __name__ == "__main__":
    main()
