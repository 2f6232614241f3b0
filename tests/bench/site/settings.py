"""The product's own settings as its environment makes them, with an empty view to compare with."""

from orderflow.settings import *  # noqa: F403 - they are the settings
from orderflow.settings import ALLOWED_HOSTS, DATA_DIR

ROOT_URLCONF = "tests.bench.site.urls"
# What Django's own test client goes by.
ALLOWED_HOSTS = [*ALLOWED_HOSTS, "testserver"]
# WhiteNoise warns of a folder that is not there.
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
