"""The direction of imports, and the size of modules, read from the source: also imports inside functions count."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("orderflow", "connectors", "exports")
LINES = 200
# One list that is read from top to bottom: what may be configured.
LONGER = {"orderflow.settings"}

# What a part may not know. The demo stands on top of everything, so nobody knows the demo.
FORBIDDEN = {
    "orderflow.tenancy": ("orderflow.orders", "connectors", "exports", "orderflow.demo"),
    "orderflow.orders": ("connectors", "exports", "orderflow.demo"),
    "connectors": ("orderflow.orders", "exports", "orderflow.demo"),
    "exports": ("orderflow.demo",),
}
INNER_ROOMS = tuple(
    f"connectors.{room}"
    for room in ("ports", "exceptions", "documents", "dropzones", "network", "sftp", "implementations", "encryption")
)


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {_module(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


def _named(module: str) -> Iterator[str]:
    """Every dotted name that the module's imports mention."""
    path = SOURCES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            source = ".".join(part for part in (base, node.module) if part)
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


IMPORTS = {module: frozenset(_named(module)) for module in SOURCES}


def _within(name: str, *parts: str) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def _reached(start: str) -> set[str]:
    """The project's modules that come along with `start`, with the packages that they lie in."""
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        module = waiting.pop()
        if module in SOURCES and module not in reached:
            reached.add(module)
            waiting += [*IMPORTS[module], module.rpartition(".")[0]]
    return reached


def _knows_a_model(module: str) -> bool:
    return any(_within(name, "django.db.models") or ".models" in name for name in IMPORTS[module])


def test_the_source_is_read() -> None:
    """Or else the tests below would hold of nothing."""
    assert "connectors.models" in IMPORTS["exports.push_service"]
    assert "orderflow.tenancy.models" in _reached("exports.push_service")
    assert _knows_a_model("connectors.models")
    assert all(any(_within(module, room) for module in SOURCES) for room in (*FORBIDDEN, *INNER_ROOMS))


@pytest.mark.parametrize("part", FORBIDDEN)
def test_imports_run_one_way(part: str) -> None:
    uphill = [
        f"{module} imports {name}"
        for module in SOURCES
        if _within(module, part)
        for name in sorted(IMPORTS[module])
        if _within(name, *FORBIDDEN[part])
    ]
    assert uphill == []


@pytest.mark.parametrize("room", INNER_ROOMS)
def test_an_inner_room_of_the_connectors_reaches_no_model(room: str) -> None:
    found = {
        f"{module} reaches {reached}"
        for module in SOURCES
        if _within(module, room)
        for reached in _reached(module)
        if _knows_a_model(reached)
    }
    assert found == set()


def test_no_module_grows_past_its_limit() -> None:
    lengths = {
        module: len(path.read_text(encoding="utf-8").splitlines())
        for module, path in SOURCES.items()
        if "migrations" not in path.parts
    }
    assert {module for module, length in lengths.items() if length > LINES} - LONGER == set()
