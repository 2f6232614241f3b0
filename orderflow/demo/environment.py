"""The settings that a demo runs under. They have to be in the environment before Django reads it."""

import os
from pathlib import Path

from orderflow.keys import fresh_keys

PROJECT = Path(__file__).resolve().parents[2]

# A demo must never reach what the real installation works with, nor trip over how that one is run.
LEFT_OUT = (
    "ALLOWED_HOSTS CELERY_BROKER_URL CSRF_TRUSTED_ORIGINS DATABASE_URL DEBUG ENCRYPTION_PREVIOUS_KEYS REDIS_CA_FILE "
    "BEHIND_TLS_PROXY DEFAULT_FROM_EMAIL EMAIL_URL PUBLIC_URL REDIS_URL REQUIRE_TLS S3_ENDPOINT_URL STATE_DIR "
    "STORAGE_URL TRUSTED_PROXIES WEBHOOK_ALLOW_HTTP WEBHOOK_CA_FILE WEBHOOK_PRIVATE_NETWORKS"
).split()


def demo_folder() -> Path:
    return Path(os.environ.get("DATA_DIR") or PROJECT / "var").resolve() / "demo"


def enter() -> None:
    """From here on this process, and those that it starts, see the demo and nothing else."""
    folder = demo_folder()
    values = _values(folder)
    for name in (*LEFT_OUT, *values):
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    os.environ |= values


def entered() -> bool:
    return Path(os.environ.get("ENV_FILE", "")) == _env_file(Path(os.environ.get("DATA_DIR", "")))


def write_env_file() -> Path:
    """For other commands on the same demo: `ENV_FILE=var/demo/.env python manage.py …`."""
    folder = Path(os.environ["DATA_DIR"])
    path = _env_file(folder)
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={os.environ[name]}\n" for name in _values(folder) if name != "ENV_FILE"))
    return path


def _values(folder: Path) -> dict[str, str]:
    return {
        **fresh_keys(),
        "ENV_FILE": str(_env_file(folder)),
        "DATA_DIR": str(folder),
        "DROPZONE_ROOT": str(folder / "dropzones"),
        # The stand-in ERP is on this machine, and quick to answer.
        "DROPZONE_ALLOWED_NETWORKS": "127.0.0.0/8",
        "ACK_POLL_INTERVAL_S": "1",
        "SWEEP_INTERVAL_S": "2",
        "LOG_JSON": "false",
    }


def _env_file(folder: Path) -> Path:
    return folder / ".env"
