"""What an installation says of itself."""

import json
import urllib.error
import urllib.request
from typing import Any

from tests.support.installation import Installation


def probe(installation: Installation, path: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{installation.port}{path}", timeout=30) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def stopped(installation: Installation) -> set[str]:
    return {problem["component"] for problem in probe(installation, "/readyz")[1].get("problems", [])}


def ready(installation: Installation) -> bool:
    return probe(installation, "/readyz") == (200, {"status": "ok"})


def reachable(installation: Installation) -> bool:
    try:
        return probe(installation, "/livez")[0] == 200
    except OSError:
        return False
