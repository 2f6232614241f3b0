"""The list of mutants: `data/<area>.toml`, one file per area.

Each has a `[[file]]` for every module of the product, with its `path` and the `tests` that have to notice its mutants
(pytest's arguments), and below it one `[[file.mutant]]` for each slip:

- `slip`: what a person got wrong, in one line
- `old`, `new`: the module's text, which occurs there exactly once, and what replaces it
- `tests`: other tests than those of the file
- `postgres`: the slip shows on PostgreSQL only, so the tests run there
- `equivalent`: why no test can notice; such a mutant is not run
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
DATA = Path(__file__).parent / "data"
FIELDS = {"slip", "old", "new", "tests", "postgres", "equivalent"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    area: str
    slip: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    postgres: bool = False
    equivalent: str = ""

    def apply(self, root: Path) -> str:
        """Changes the file below `root` and returns its text from before. Raises `ValueError` unless `old` occurs
        there exactly once."""
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        found = text.count(self.old)
        if found != 1:
            raise ValueError(f"{self.area}: {self.slip}: its text occurs {found} times in {self.file}")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")
        return text


def areas() -> list[str]:
    return sorted(path.stem for path in DATA.glob("*.toml"))


def mutants_of(area: str) -> list[Mutant]:
    """Raises `ValueError` for an unknown key."""
    content = tomllib.loads((DATA / f"{area}.toml").read_text(encoding="utf-8"))
    return [_mutant(area, file, fields) for file in content["file"] for fields in file["mutant"]]


def _mutant(area: str, file: dict[str, Any], fields: dict[str, Any]) -> Mutant:
    if unknown := fields.keys() - FIELDS:
        raise ValueError(f"{area}: unknown keys {sorted(unknown)} in {fields.get('slip')}")
    tests = fields.get("tests", file["tests"])
    return Mutant(area=area, file=file["path"], **{**fields, "tests": tuple(tests)})
