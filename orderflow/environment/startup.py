"""Where a process starts: settings that cannot be used end it with one line instead of a traceback."""

import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

# Gunicorn stops for good when a worker exits with this status; with any other it would start the next one at once.
UNUSABLE = 3


def load_settings() -> None:
    """Exits the process when the settings cannot be read."""
    try:
        settings.INSTALLED_APPS  # noqa: B018 - reading one attribute loads them all
    except ImproperlyConfigured as error:
        sys.stderr.write(f"OrderFlow cannot start: {error}\n")
        raise SystemExit(UNUSABLE) from None
