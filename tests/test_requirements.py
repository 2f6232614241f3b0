"""requirements.in against the source: what the product imports is declared, and what is declared is used."""

import ast
import re
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.orderflow.environment.product import run
from tests.support.product.sources import PACKAGES, ROOT, SOURCES

# Run or loaded by name, and imported by none of our modules.
NOT_IMPORTED = {
    "gunicorn": "the web server's command",
    "psycopg": "Django's backend for PostgreSQL",
    "redis": "also Kombu's and Django's client",
}

# Nothing that is only in requirements-dev.txt can be imported here.
WITHOUT_DEVELOPMENT = """
import importlib, sys
from importlib.metadata import packages_distributions

locked, modules = sys.argv[1].split(","), sys.argv[2].split(",")
blocked = {
    package
    for package, names in packages_distributions().items()
    if not {name.lower().replace("_", "-").replace(".", "-") for name in names} & set(locked)
}

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"{name} is not in requirements.txt")

sys.meta_path.insert(0, Blocked())
import django
django.setup()
for module in modules:
    importlib.import_module(module)
from django.core.management import get_commands, load_command_class
packages = {module.partition(".")[0] for module in modules}
own = {name: app for name, app in get_commands().items() if app.partition(".")[0] in packages}
for name, app in own.items():
    load_command_class(app, name).create_parser("manage.py", name).format_help()
print(*sorted(own))
"""


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names_in(file: str) -> set[str]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return {normalised(found[0]) for line in lines if (found := re.match(r"[A-Za-z0-9][\w.-]*", line))}


def distributions(modules: set[str]) -> set[str]:
    found = packages_distributions()
    return {normalised(name) for module in modules for name in found.get(module, [])}


def imported(path: Path) -> set[str]:
    """The first part of every name that the file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def named_in_settings() -> set[str]:
    """Django loads applications, middleware and storages by their dotted names."""
    paths = (SOURCES["orderflow.settings"], *(path for name, path in SOURCES.items() if ".environment." in name))
    nodes = (node for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    texts = (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {text.partition(".")[0] for text in texts if re.fullmatch(r"[a-z_]+(\.\w+)*", text)}


# The contract test runs where the author of a connector has pytest.
MODULES = {name: path for name, path in SOURCES.items() if not name.startswith("connectors.testing")}
OURS = [*MODULES.values(), ROOT / "manage.py"]
IMPORTED = set().union(*(imported(path) for path in OURS)) - set(PACKAGES)


def test_everything_that_is_imported_is_declared() -> None:
    assert {"django", "paramiko"} <= distributions(IMPORTED)
    assert distributions(IMPORTED) - names_in("requirements.in") == set()


def test_everything_that_is_declared_is_used() -> None:
    used = distributions(IMPORTED | named_in_settings()) | set(NOT_IMPORTED)
    assert names_in("requirements.in") - used == set()


def test_what_the_tests_import_is_declared() -> None:
    test_files = [path for path in (ROOT / "tests").rglob("*.py") if "_package" not in str(path)]
    modules = set().union(*(imported(path) for path in test_files)) - {*PACKAGES, "tests"}
    declared = names_in("requirements.in") | names_in("requirements-dev.in")
    assert distributions(modules) - declared == set()


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_everything_that_is_declared_is_locked(file: str) -> None:
    declared = names_in("requirements.in") | (names_in("requirements-dev.in") if "dev" in file else set())
    assert declared - names_in(file) == set()


def test_every_command_starts_with_the_locked_requirements_alone(tmp_path: Path) -> None:
    """The image installs requirements.txt and nothing else."""
    loaded_by_name = ("storages.backends.s3", "django.db.backends.postgresql.base", "redis", "gunicorn.app.wsgiapp")
    done = run(
        tmp_path,
        "-c",
        WITHOUT_DEVELOPMENT,
        ",".join(sorted(names_in("requirements.txt"))),
        ",".join([*loaded_by_name, *MODULES]),
    )
    assert done.returncode == 0, done.stderr
    assert {"demo", "stand_in_erp", "check_worker", "rotate_encryption_key"} <= set(done.stdout.split())
