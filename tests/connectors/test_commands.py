import json
import shutil
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from connectors import checks
from connectors.models import ERPConnection
from orderflow.keys import fresh_keys


def run(name: str, *arguments: str) -> str:
    out = StringIO()
    call_command(name, *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_a_connection_is_tried_step_by_step(connection: ERPConnection) -> None:
    told = run("test_connection", "acme")
    assert [line.split()[1] for line in told.splitlines()[:-1]] == ["write", "rename", "delete", "list"]
    assert told.splitlines()[-1].startswith("Folder works")
    assert json.loads(run("test_connection", "acme", "Folder", "--json"))["success"] is True


def test_a_connection_that_fails_says_why(connection: ERPConnection, folder: Path) -> None:
    shutil.rmtree(folder / "in")
    with pytest.raises(CommandError, match="in"):
        run("test_connection", "acme")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(["acme", "Nothing"], "no connection 'Nothing'. Its connections: 'Folder'"), (["nobody"], "'nobody' has no")],
)
def test_an_unknown_connection_is_told_with_the_known_ones(
    connection: ERPConnection, arguments: list[str], complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint):
        run("test_connection", *arguments)


def test_configs_are_brought_under_the_new_key_and_a_repeat_goes_on(
    connection: ERPConnection, settings: object
) -> None:
    """S3."""
    old = settings.ENCRYPTION_MASTER_KEY  # type: ignore[attr-defined]
    settings.ENCRYPTION_MASTER_KEY = fresh_keys()["ENCRYPTION_MASTER_KEY"]  # type: ignore[attr-defined]
    messages = checks.readable_secrets(databases=["default"])
    assert [message.id for message in messages] == ["connectors.E002"]
    assert "acme/Folder" in messages[0].msg
    with pytest.raises(CommandError, match="1 secrets could not be encrypted anew"):
        run("rotate_encryption_key")

    settings.ENCRYPTION_PREVIOUS_KEYS = [old]  # type: ignore[attr-defined]
    assert json.loads(run("rotate_encryption_key", "--dry-run", "--json"))["rotated"] == 1
    assert run("rotate_encryption_key").startswith("1 secrets were")
    assert run("rotate_encryption_key").startswith("0 secrets were")

    settings.ENCRYPTION_PREVIOUS_KEYS = []  # type: ignore[attr-defined]
    connection.refresh_from_db()
    assert connection.stored_config()["export_path"] == "in"
    assert checks.readable_secrets(databases=["default"]) == []


def test_a_key_that_is_no_key_fails_the_start_by_name(settings: object) -> None:
    settings.ENCRYPTION_MASTER_KEY = "short"  # type: ignore[attr-defined]
    settings.ENCRYPTION_PREVIOUS_KEYS = ["not base64!"]  # type: ignore[attr-defined]
    messages = checks.encryption_keys()
    assert [message.msg.split(":")[0] for message in messages] == ["ENCRYPTION_MASTER_KEY", "ENCRYPTION_PREVIOUS_KEYS"]
    assert "short" not in str(messages)
