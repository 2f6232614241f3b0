"""docs/reference/configuration.md as tests read it."""

import re

from tests.support.installation import ROOT

PAGE = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")


READERS = ("settings.py", "api/rest_settings.py", "environment/redis_settings.py")


SETTINGS = "".join((ROOT / "orderflow" / reader).read_text(encoding="utf-8") for reader in READERS)


def first_cells(section: str) -> set[str]:
    """The names in the first column of the section's table."""
    cells = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
