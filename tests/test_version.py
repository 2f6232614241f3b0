"""One source for the version, and a changelog that has a section for it."""

import re
import tomllib
from datetime import date

from orderflow import __version__
from tests.support.product.sources import ROOT

RELEASE = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - (\S+)$", re.MULTILINE)


def test_the_version_is_stated_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "orderflow.__version__"}


def test_the_changelog_has_the_version_as_its_newest_release() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = [line for line in changelog.splitlines() if line.startswith("## ")]
    releases = RELEASE.findall(changelog)
    assert sections[0] == "## [Unreleased]"
    assert len(releases) == len(sections) - 1
    assert releases[0][0] == __version__
    days = [date.fromisoformat(day) for _, day in releases]
    assert days == sorted(days, reverse=True)
