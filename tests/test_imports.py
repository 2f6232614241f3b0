"""The direction of imports, and the size of modules and folders, read from the source: also imports inside functions
count."""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from tests.support.product.sources import ROOT, SOURCES

LINES = 200
FUNCTION_LINES = 37
MODULES = 12
# One list that is read from top to bottom: what may be configured.
LONGER = {"orderflow.settings"}
# Names that would take in anything.
GRAB_BAGS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "base_utils"}

# What a part may not know. The demo stands on top of everything, so nobody knows the demo.
_ABOVE_ORDERS = ("connectors", "exports", "orderflow.demo")
FORBIDDEN = {
    "orderflow.db": ("orderflow.tenancy", "orderflow.admin", "orderflow.api", "orderflow.orders", *_ABOVE_ORDERS),
    "orderflow.fields": ("orderflow.tenancy", "orderflow.admin", "orderflow.api", "orderflow.orders", *_ABOVE_ORDERS),
    "orderflow.tenancy": ("orderflow.api", "orderflow.orders", *_ABOVE_ORDERS),
    "orderflow.admin": ("orderflow.api", "orderflow.orders", *_ABOVE_ORDERS),
    "orderflow.api": ("orderflow.orders", *_ABOVE_ORDERS),
    "orderflow.web": ("orderflow.orders", *_ABOVE_ORDERS),
    "orderflow.orders": _ABOVE_ORDERS,
    "connectors": ("orderflow.orders", "exports", "orderflow.demo"),
    # The protocol could be a package of its own.
    "connectors.sftp.protocol": tuple(
        f"connectors.sftp.{part}" for part in ("auth", "keys", "channel", "connect", "pool", "session", "transport")
    ),
    "exports": ("orderflow.demo",),
    "exports.models": tuple(f"exports.{part}" for part in ("admin", "acks", "api", "bulk", "delivery", "webhooks")),
}
INNER_ROOMS = tuple(
    f"connectors.{room}"
    for room in (
        "documents",
        "dropzones",
        "encryption",
        "exceptions",
        "failpoints",
        "fencing",
        "implementations",
        "network",
        "ports",
        "sftp",
        "text",
        "third_party",
        "types",
    )
)
# Packages whose parts, the modules and folders directly in them, know each other in one direction only.
LAYERED = (
    "orderflow",
    "orderflow.admin",
    "orderflow.api",
    "connectors",
    "connectors.dropzones",
    "connectors.sftp",
    "exports",
    "exports.incidents",
    "exports.models",
    "exports.webhooks",
)
# Its pages are admin pages, and admin pages know tenants.
BACK = {("orderflow.tenancy", "orderflow.admin")}


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


def _part(package: str, name: str) -> str | None:
    """The module or folder directly in `package` that `name` lies in."""
    if not name.startswith(f"{package}."):
        return None
    part = ".".join(name.split(".")[: package.count(".") + 2])
    return part if any(_within(module, part) for module in SOURCES) else None


def _edges(package: str) -> set[tuple[str, str]]:
    found = {
        (here, there)
        for module in SOURCES
        if (here := _part(package, module)) and "migrations" not in module
        for name in IMPORTS[module]
        if (there := _part(package, name)) and there != here
    }
    return found - BACK


def _in_circles(edges: set[tuple[str, str]]) -> set[str]:
    """What is left when all that knows nothing is taken away, again and again."""
    edges = set(edges)
    while removed := {edge for edge in edges if edge[1] not in {here for here, _ in edges}}:
        edges -= removed
    return {there for _, there in edges}


def test_the_source_is_read() -> None:
    """Or else the tests below would hold of nothing."""
    assert "connectors.models" in IMPORTS["exports.push_service"]
    assert "orderflow.tenancy.models" in _reached("exports.push_service")
    assert _knows_a_model("connectors.models")
    assert ("exports.delivery", "exports.models") in _edges("exports")
    assert _in_circles({("a", "b"), ("b", "a"), ("c", "a"), ("a", "d")}) == {"a", "b"}
    assert all(any(_within(module, room) for module in SOURCES) for room in (*FORBIDDEN, *INNER_ROOMS, *LAYERED))


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


@pytest.mark.parametrize("package", LAYERED)
def test_the_parts_of_a_package_know_each_other_in_one_direction(package: str) -> None:
    assert _in_circles(_edges(package)) == set()


def test_no_two_modules_import_each_other() -> None:
    edges = {(module, name) for module in SOURCES for name in IMPORTS[module] if name in SOURCES and name != module}
    # A package's `__init__` comes along with every module in it.
    inits = {module for module, path in SOURCES.items() if path.name == "__init__.py"}
    assert _in_circles({(here, there) for here, there in edges if there not in inits}) == set()


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


def test_no_function_grows_past_its_limit() -> None:
    """Counted from `def` to its last line, in the product."""
    longer = {
        f"{module}.{node.name}": length
        for module, path in SOURCES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    }
    assert longer == {}


def test_no_folder_grows_past_its_limit() -> None:
    counted = Counter(
        path.parent.relative_to(ROOT).as_posix()
        for path in SOURCES.values()
        if path.name != "__init__.py" and not {"migrations", "management"} & set(path.parts)
    )
    assert {folder: count for folder, count in counted.items() if count > MODULES} == {}


def test_no_module_is_named_for_anything() -> None:
    assert {module for module in SOURCES if module.rpartition(".")[2] in GRAB_BAGS} == set()


def test_the_number_of_edges_between_the_parts_of_exports_does_not_grow() -> None:
    known: dict[str, set[str]] = defaultdict(set)
    for here, there in _edges("exports"):
        known[here].add(there)
    assert sum(map(len, known.values())) <= EDGES_OF_EXPORTS


EDGES_OF_EXPORTS = 90
