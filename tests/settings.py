"""The product's own settings, with keys and places for tests."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from orderflow.keys import fresh_keys

_data = Path(tempfile.mkdtemp(prefix="orderflow-tests-"))
atexit.register(shutil.rmtree, _data, ignore_errors=True)
os.environ |= {"ENV_FILE": str(_data / "none.env"), "DATA_DIR": str(_data)}
os.environ.setdefault("LOG_LEVEL", "WARNING")
if "orderflow-tests-" in os.environ.get("DROPZONE_ROOT", "orderflow-tests-"):
    # Not that of the process which started this one: two of them would use one folder.
    os.environ["DROPZONE_ROOT"] = str(_data / "dropzones")
os.environ.setdefault("DROPZONE_ALLOWED_NETWORKS", "127.0.0.0/8")
for _name, _value in fresh_keys().items():
    os.environ.setdefault(_name, _value)

from orderflow.settings import *  # noqa: E402, F403 - the environment has to be there first
from orderflow.settings import DATABASES  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, as in production: threads wait for each other there, in a database in memory they fail.
    DATABASES["default"]["TEST"] = {"NAME": str(_data / "test.sqlite3")}

# WhiteNoise warns of a folder that is not there.
STATIC_ROOT = _data / "static"
STATIC_ROOT.mkdir()
