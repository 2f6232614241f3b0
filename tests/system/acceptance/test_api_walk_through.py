"""docs/reference/api.md does what it says."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.servers.missing import program
from tests.support.installation import ROOT
from tests.system.acceptance.conftest import Site

BLOCK = re.compile(r"^```(sh|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.timeout(180)
def test_the_walk_through_runs_as_it_is_written(one_machine: Site, tmp_path: Path) -> None:
    program("jq", package="jq")
    installation = one_machine.installation
    blocks = BLOCK.findall((ROOT / "docs" / "reference" / "api.md").read_text())
    script = ["set -euo pipefail", *(text for kind, text in blocks if kind == "sh")]
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=tmp_path,
        env=installation.environment
        | {
            "API": f"http://127.0.0.1:{installation.port}/api/v1",
            "TOKEN": installation.manage("create_token", "ops", "--name", "Web shop").strip(),
            "DROPZONE": str(one_machine.dropzone),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = values("".join(text for kind, text in blocks if kind == "json"))
    assert len(expected) > 10
    assert [seen_as(value, told) for value, told in zip(values(done.stdout), expected, strict=True)] == expected


def values(text: str) -> list[Any]:
    """The JSON values that stand one after the other in a text."""
    decoder, found, rest = json.JSONDecoder(), [], text.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        found.append(value)
        rest = rest[end:].strip()
    return found


def seen_as(value: Any, told: Any) -> Any:
    """`value`, with the told text where that says it up to its "…"."""
    if isinstance(told, dict) and isinstance(value, dict):
        return {name: seen_as(inner, told.get(name)) for name, inner in value.items()}
    if isinstance(told, str) and told.endswith("…") and isinstance(value, str) and value.startswith(told[:-1]):
        return told
    return value
