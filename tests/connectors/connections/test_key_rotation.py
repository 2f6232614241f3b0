"""A new key while the old one is still about: every config comes under it, whatever happens meanwhile."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from connectors import checks
from connectors.connections import health, key_rotation
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.encrypted_model import sealed_models
from connectors.encryption import EncryptionError, KeyRing, key_id, load_key
from connectors.models import ERPConnection
from orderflow.keys import fresh_keys
from orderflow.tenancy.models import Organization
from tests.support.shared_database import database_url, until

ROOT = Path(__file__).parents[3]
OLD, NEW = (fresh_keys()["ENCRYPTION_MASTER_KEY"] for _ in range(2))

Ring = Callable[..., None]


@pytest.fixture
def ring(settings: Any) -> Ring:
    """What this process has in its environment."""

    def hold(master: str, *previous: str) -> None:
        settings.ENCRYPTION_MASTER_KEY, settings.ENCRYPTION_PREVIOUS_KEYS = master, list(previous)

    hold(OLD)
    return hold


def seal(organization: Organization, *names: str, **fields: Any) -> list[ERPConnection]:
    """Connections with their config under the current key."""
    rows = [ERPConnection(organization=organization, name=name, connector_type="FAX", **fields) for name in names]
    for row in rows:
        row.set_config({"password": f"of {row.name}"})
    return ERPConnection.objects.bulk_create(rows)


def configs() -> dict[str, str]:
    return {row.name: row.stored_config()["password"] for row in ERPConnection.objects.all()}


def rotate() -> list[str]:
    """The problems."""
    return [step.problem for step in key_rotation.rotate(dry_run=False) if step.problem]


@pytest.mark.full
@pytest.mark.django_db(transaction=True)
def test_a_rotation_that_is_killed_goes_on_where_it_was(organization: Organization, ring: Ring) -> None:
    """S3: each time in the middle, by SIGKILL."""
    everybody = [f"{n}" for n in range(300)]
    seal(organization, *everybody)
    done = [0]
    for _ in range(2):
        with rotating() as process:
            until(lambda: under(NEW) >= done[-1] + 20)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        done.append(under(NEW))
        assert done[-1] + under(OLD) == len(everybody)
        ring(NEW, OLD)
        assert configs() == {name: f"of {name}" for name in everybody}
    assert done == sorted(set(done))
    assert done[-1] < len(everybody)

    with rotating() as process:
        assert process.wait(60) == 0
    ring(NEW)
    assert configs() == {name: f"of {name}" for name in everybody}


@contextmanager
def rotating() -> Iterator["subprocess.Popen[bytes]"]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "orderflow.settings",
        "DATABASE_URL": database_url(),
        "ENCRYPTION_MASTER_KEY": NEW,
        "ENCRYPTION_PREVIOUS_KEYS": OLD,
    }
    command = [sys.executable, str(ROOT / "manage.py"), "rotate_encryption_key"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def under(key: str) -> int:
    """How many configs this key sealed, read from the envelopes."""
    envelopes = ERPConnection.objects.values_list("config_encrypted", flat=True)
    return sum(bytes(envelope)[1:9] == key_id(load_key(key)) for envelope in envelopes)


def test_more_configs_than_a_page_has_are_all_rotated(
    organization: Organization, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_rotation, "PAGE", 2)
    seal(organization, *"abcde")
    ring(NEW, OLD)
    assert rotate() == []
    ring(NEW)
    assert configs() == {name: f"of {name}" for name in "abcde"}


def test_configs_under_the_current_key_are_not_even_read(
    organization: Organization, ring: Ring, django_assert_num_queries: Any
) -> None:
    seal(organization, *"abc")
    # One for each kind of row that keeps a secret.
    with django_assert_num_queries(len(sealed_models())):
        assert rotate() == []


@pytest.mark.parametrize("editor", [(NEW, OLD), (OLD, NEW)], ids=["with the new key", "still with the old key"])
def test_an_edit_while_the_rotation_runs_wins(
    connection: ERPConnection, settings: Any, editor: tuple[str, ...]
) -> None:
    """S3: also by a process that has not been started anew yet."""
    first = settings.ENCRYPTION_MASTER_KEY
    settings.ENCRYPTION_PREVIOUS_KEYS = [OLD, NEW]
    other = ERPConnection(pk=UUID(int=0), organization=connection.organization, name="Read first", connector_type="FAX")
    other.set_config({"password": "x"})
    other.save()
    settings.ENCRYPTION_MASTER_KEY, settings.ENCRYPTION_PREVIOUS_KEYS = NEW, [OLD, first]
    steps = key_rotation.rotate(dry_run=False)
    assert next(steps).row == other

    settings.ENCRYPTION_MASTER_KEY, settings.ENCRYPTION_PREVIOUS_KEYS = editor[0], [editor[1], first]
    connection_service.save(connection, ConnectionChanges(config={"ack_path": "edited"}), actor="ina")
    settings.ENCRYPTION_MASTER_KEY, settings.ENCRYPTION_PREVIOUS_KEYS = NEW, [OLD, first]
    assert [step.problem for step in steps] == [""]
    settings.ENCRYPTION_PREVIOUS_KEYS = []
    connection.refresh_from_db()
    assert connection.stored_config()["ack_path"] == "edited"


def test_a_connection_that_is_deleted_meanwhile_is_no_problem(organization: Organization, ring: Ring) -> None:
    seal(organization, *"ab")
    ring(NEW, OLD)
    steps = key_rotation.rotate(dry_run=False)
    ERPConnection.objects.exclude(pk=next(steps).row.pk).delete()
    assert [step.problem for step in steps] == [""]


def test_the_command_fails_while_a_config_comes_under_an_older_key(organization: Organization, ring: Ring) -> None:
    """Or the old key would be dropped, and that config with it."""

    class EnteredMeanwhile(StringIO):
        def write(self, text: str) -> int:
            ring(OLD)
            seal(organization, "late")
            ring(NEW, OLD)
            return super().write(text)

    seal(organization, "early")
    ring(NEW, OLD)
    with pytest.raises(CommandError, match="1 secrets were entered under an older key meanwhile"):
        call_command("rotate_encryption_key", stdout=EnteredMeanwhile())
    call_command("rotate_encryption_key", stdout=StringIO())
    ring(NEW)
    assert configs() == {"early": "of early", "late": "of late"}


Damage = Callable[[ERPConnection, ERPConnection], bytes]
DAMAGES: dict[str, Damage] = {
    "another row's": lambda _, other: bytes(other.config_encrypted),
    "truncated": lambda mine, _: bytes(mine.config_encrypted)[:-1],
    "a changed byte": lambda mine, _: bytes(mine.config_encrypted)[:-1] + b"\0",
    "an unknown version": lambda mine, _: b"\x02" + bytes(mine.config_encrypted)[1:],
    "empty": lambda *_: b"",
    "a key that is not set": lambda mine, _: sealed_by_somebody(mine),
}


def sealed_by_somebody(row: ERPConnection) -> bytes:
    return KeyRing(b"x" * 32).seal(b"{}", bound_to=row._row)


@pytest.fixture(params=DAMAGES)
def damaged(request: pytest.FixtureRequest, organization: Organization, ring: Ring) -> ERPConnection:
    """One of three, the second of which belongs to another organization."""
    elsewhere = Organization.objects.create(name="Globex", slug="globex")
    (mine,), (theirs,), _ = seal(organization, "mine"), seal(elsewhere, "theirs"), seal(organization, "fine")
    mine.config_encrypted = DAMAGES[request.param](mine, theirs)
    mine.save()
    return mine


def test_a_config_that_does_not_open_is_refused_by_name_and_the_others_are_rotated(
    damaged: ERPConnection, ring: Ring
) -> None:
    """S2, S3, F25."""
    envelope = bytes(damaged.config_encrypted)
    ring(NEW, OLD)
    (problem,) = rotate()
    assert problem.startswith("The config of connection 'mine' cannot be decrypted. It ")
    assert under(NEW) == 2
    damaged.refresh_from_db()
    assert bytes(damaged.config_encrypted) == envelope


def test_the_start_names_a_config_that_does_not_open(damaged: ERPConnection, ring: Ring) -> None:
    """S2, S3: only a key that is missing keeps an installation from starting."""
    (message,) = checks.readable_secrets(databases=["default"])
    assert "acme/mine" in message.msg
    keyless = "which is not set" in message.msg
    assert keyless == (bytes(damaged.config_encrypted)[1:9] == key_id(b"x" * 32))
    assert message.is_serious() == keyless
    assert message.hint


def test_the_start_names_a_few_of_very_many(organization: Organization, ring: Ring) -> None:
    seal(organization, *map(str, range(30)))
    ring(NEW)
    messages = checks.readable_secrets(databases=["default"])
    assert len(messages) == 21
    assert messages[-1].msg.startswith("10 more connections")
    ring("no key at all")
    assert checks.readable_secrets(databases=["default"]) == []


def test_a_block_for_want_of_a_key_ends_where_that_key_is_set(organization: Organization, ring: Ring) -> None:
    """S3, F25: nobody has to test ten thousand connections by hand after a key was forgotten."""
    keyless, refused = seal(organization, "keyless", "refused")
    ring(NEW)
    missing = key_id(load_key(OLD)).hex()
    health.block(keyless.pk, "It was encrypted with another key.", missing_key=missing)
    health.block(refused.pk, "The password was refused.")
    assert health.release_readable() == 0
    ring(NEW, OLD)
    assert health.release_readable() == 1
    blocked = ERPConnection.objects.exclude(blocked_at=None)
    assert [row.name for row in blocked] == ["refused"]
    assert not re.search("encrypted", "".join(ERPConnection.objects.values_list("blocked_reason", flat=True)))


def test_the_old_key_alone_opens_nothing_afterwards(organization: Organization, ring: Ring) -> None:
    """S3: what leaked is worth nothing any more."""
    (row,) = seal(organization, "a")
    ring(NEW, OLD)
    rotate()
    row.refresh_from_db()
    with pytest.raises(EncryptionError):
        KeyRing(load_key(OLD)).open(bytes(row.config_encrypted), bound_to=row._row)
