"""The product's modules and their files."""

from pathlib import Path

ROOT = Path(__file__).parents[3]


PACKAGES = ("orderflow", "connectors", "exports")


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {_module(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}
