"""`python -m tests.system.model --sequences N --seed S`: run them on an empty database, print what they came to."""

import argparse
import json
import logging
import os
import sys
from dataclasses import asdict

import django
from django.core.management import call_command


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.system.model", description=__doc__)
    parser.add_argument("--sequences", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    # What the product logs of all that goes wrong.
    logging.disable(logging.CRITICAL)
    call_command("migrate", verbosity=0)
    # It imports models, so that it is read here, behind Django's setup.
    from tests.system.model.run import run  # noqa: PLC0415

    json.dump(asdict(run(options.sequences, first_seed=options.seed)), sys.stdout)


if __name__ == "__main__":
    main()
