"""A15: the keys of an installation are written once, for their owner alone, and never replaced."""

import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.orderflow.environment.product import environment, run
from tests.support.installation import ROOT

NAMES = ["SECRET_KEY", "ENCRYPTION_MASTER_KEY"]


def written(path: Path) -> list[str]:
    return [line.partition("=")[0] for line in path.read_text().splitlines()]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_a_new_file_is_written_for_its_owner_alone(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "new.env"
    script = f"import os, runpy; os.umask({umask}); runpy.run_module('orderflow.keys', run_name='__main__')"
    done = run(tmp_path, "-c", script, ENV_FILE=str(path))
    assert (done.returncode, done.stdout) == (0, "")
    assert written(path) == NAMES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_with_content_is_never_changed(tmp_path: Path) -> None:
    path = tmp_path / "old.env"
    path.write_text("SECRET_KEY=old\n")
    done = run(tmp_path, "-m", "orderflow.keys", ENV_FILE=str(path))
    assert done.returncode == 1
    assert "exists without a key, and was not changed" in done.stderr
    assert "--print" in done.stderr
    assert path.read_text() == "SECRET_KEY=old\n"


def test_a_file_that_has_its_keys_needs_nothing(tmp_path: Path) -> None:
    """As after `make demo`, which makes one."""
    path = tmp_path / "old.env"
    path.write_text(kept := "DEBUG=true\nSECRET_KEY=old\nENCRYPTION_MASTER_KEY=old\n")
    done = run(tmp_path, "-m", "orderflow.keys", ENV_FILE=str(path))
    assert (done.returncode, "has its keys already" in done.stderr) == (0, True)
    assert path.read_text() == kept


def test_a_redirection_of_the_shell_into_the_same_file_writes_it_too(tmp_path: Path) -> None:
    """What instructions said before: the shell makes the file, empty and readable by all."""
    path = tmp_path / "new.env"
    with path.open("wb") as out:
        path.chmod(0o644)
        command = [sys.executable, "-m", "orderflow.keys"]
        settings = environment(tmp_path, ENV_FILE=str(path))
        subprocess.run(command, env=settings, stdout=out, stderr=subprocess.DEVNULL, check=True, timeout=60)
    assert written(path) == NAMES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_keys_are_printed_on_request(tmp_path: Path) -> None:
    path = tmp_path / "none.env"
    done = run(tmp_path, "-m", "orderflow.keys", "--print", ENV_FILE=str(path))
    assert [line.partition("=")[0] for line in done.stdout.splitlines()] == NAMES
    assert not path.exists()


def test_no_page_and_no_rule_redirects_keys_into_a_file() -> None:
    pages = [ROOT / "README.md", ROOT / "Makefile", *(ROOT / "docs").rglob("*.md")]
    assert [page.name for page in pages if re.search(r"orderflow\.keys\s*>", page.read_text("utf-8"))] == []
