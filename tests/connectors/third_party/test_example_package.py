"""The guide's example is a real package: built, installed, checked, and held to the contract that the product ships."""

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from connectors.ports import ERPConnectorPort
from connectors.types.sales_order import Customer, OrderLine, SalesOrder, SourceDocument
from orderflow.keys import fresh_keys
from tests.support.connector_packages import EXAMPLE, ROOT, installed_package

GUIDE = ROOT / "docs" / "how-to" / "add-a-connector.md"
# A file's name in bold, and the whole file behind it.
BLOCK = re.compile(r"^\*\*`(?P<name>[^`]+)`\*\*\n\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = ["pyproject.toml", "acme_connector/connector.py", "tests/test_acme_connector.py"]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed_package(EXAMPLE, tmp_path_factory.mktemp("acme"))


def run(*command: str, path: list[Path], cwd: Path, **environment: str) -> str:
    own = {"PYTHONPATH": ":".join(map(str, path)), "ENV_FILE": "none.env"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, **fresh_keys(), **own, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_guide_shows_the_package_as_it_is() -> None:
    shown = {match["name"]: match["text"] for match in BLOCK.finditer(GUIDE.read_text())}
    assert shown == {name: (EXAMPLE / name).read_text() for name in FILES}


def test_the_guide_names_every_field_of_an_order() -> None:
    guide = GUIDE.read_text()
    for kind in (SalesOrder, Customer, OrderLine, SourceDocument):
        for field in fields(kind):
            assert f"`{field.name}`" in guide, f"{kind.__name__}.{field.name}"


def test_the_guide_names_every_method_of_the_port() -> None:
    guide = GUIDE.read_text()
    for name in ERPConnectorPort.__abstractmethods__:
        assert f"`{name}`" in guide, name


@pytest.mark.full
def test_the_check_finds_the_installed_package_whole(package: Path, tmp_path: Path) -> None:
    manage = str(ROOT / "manage.py")
    told = run(manage, "check", path=[package, ROOT], cwd=tmp_path, DATA_DIR=str(tmp_path))
    assert "no issues" in told
    code = "from connectors.registry import registry; print([name for name, _ in registry.types()])"
    assert "ACME_CSV" in run(manage, "shell", "-c", code, path=[package, ROOT], cwd=tmp_path, DATA_DIR=str(tmp_path))


def test_its_own_tests_pass_with_the_contract_from_outside(package: Path, tmp_path: Path) -> None:
    told = run(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(EXAMPLE), str(EXAMPLE / "tests"),
        path=[package, ROOT], cwd=tmp_path, DJANGO_SETTINGS_MODULE="orderflow.settings", DATA_DIR=str(tmp_path),
    )  # fmt: skip
    passed = re.search(r"(\d+) passed", told)
    assert passed
    assert int(passed[1]) >= 19
    assert "skipped" not in told
