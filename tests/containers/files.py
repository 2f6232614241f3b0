"""What the Dockerfile and docker-compose.yml say."""

import re
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
# The services that run OrderFlow's own image.
OWN = ("migrate", "web", "worker", "beat")


def services() -> dict[str, Any]:
    found: dict[str, Any] = COMPOSE["services"]
    return found


def instructions(name: str) -> list[str]:
    """The arguments of each such instruction of the Dockerfile, with continued lines joined."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return re.findall(rf"^{name} +(.+)$", joined, re.MULTILINE)


def base_of_the_image() -> str:
    """Of the last stage."""
    return instructions("FROM")[-1].split()[0]
