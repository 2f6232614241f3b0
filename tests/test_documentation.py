"""README.md and docs/ against the tree: every link has a target, and every file that a page names exists."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.installation import ROOT

AT_THE_ROOT = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES = [*AT_THE_ROOT, *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(r"`([\w.-]+(?:/[\w.-]+)+\.(?:py|md|toml|json|yml))`")
FOLDER = re.compile(r"`((?:connectors|docs|exports|orderflow|tests)(?:/[\w.-]+)+)/?`")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
# The page about connectors shows a package whose files it names from that package's root.
EXAMPLE = ROOT / "tests" / "connectors" / "third_party" / "example_package"
# What the changelog says of earlier versions stays, whatever was moved since.
DESCRIBES_NOW = [page for page in PAGES if page.name != "CHANGELOG.md"]


def links(page: Path) -> Iterator[tuple[str, str]]:
    """Path and section of each relative link."""
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if not re.match(r"[a-z]+:", target):
            path, _, section = target.partition("#")
            yield path, section


def sections(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def leads_nowhere(page: Path, path: str, section: str) -> bool:
    target = (page.parent / path).resolve() if path else page
    return not target.exists() or (bool(section) and section not in sections(target))


def test_every_link_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {path}#{section}"
        for page in PAGES
        for path, section in links(page)
        if leads_nowhere(page, path, section)
    ]
    assert broken == []


def test_every_file_that_a_page_names_exists() -> None:
    missing = [
        f"{page.relative_to(ROOT)}: {name}"
        for page in DESCRIBES_NOW
        for pattern in (FILE, FOLDER)
        for name in pattern.findall(page.read_text(encoding="utf-8"))
        if not (ROOT / name).exists() and not (EXAMPLE / name).exists()
    ]
    assert missing == []


def test_every_command_is_on_the_page_of_commands_and_no_other() -> None:
    page = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`[^|]+`) \|", page.partition("\n## ")[0], re.MULTILINE)
    listed = {name for cell in cells for name in re.findall(r"`(\w+)", cell)}
    packages = (ROOT / package for package in ("connectors", "exports", "orderflow"))
    ours = {path.stem for package in packages for path in package.glob("**/management/commands/[a-z]*.py")}
    assert listed == ours
