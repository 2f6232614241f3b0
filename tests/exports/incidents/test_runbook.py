"""docs/runbook.md has a section for every kind of incident, under the name that people are alerted by."""

import re

import pytest

from exports.incidents.models import Incident
from tests.support.installation import ROOT

PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("kind", Incident.Kind)
def test_every_kind_of_incident_has_its_section(kind: Incident.Kind) -> None:
    section = SECTIONS[kind.label]
    assert section.startswith(f"\n`{kind.value}`\n")
    for part in ("Meaning", "End"):
        assert f"**{part}.**" in section, part


def test_no_section_is_about_a_kind_that_does_not_exist() -> None:
    assert set(SECTIONS) == {kind.label for kind in Incident.Kind}
