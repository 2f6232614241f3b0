"""`python -m tests.trials.interrupted.leg LEG FOLDER SEED`: one leg of a trial; the environment has its settings."""

import importlib
import json
import random
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import django
from django.core.management import call_command

from tests.trials.interrupted.legs import Disturbance, Leg


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    given = json.loads(sys.argv[1])
    leg = Leg(**given | {"disturbance": Disturbance(given["disturbance"])})
    folder, dice = Path(sys.argv[2]), random.Random(int(sys.argv[3]))
    django.setup()
    call_command("migrate", verbosity=0)
    # It imports models, so that it is read here, behind Django's setup.
    module: ModuleType = importlib.import_module("tests.trials.interrupted.disturbed")
    (folder / "end.json").write_text(json.dumps(asdict(module.play(leg, folder, dice))))


if __name__ == "__main__":
    main()
