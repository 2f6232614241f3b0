"""The running installation as its users see it: over HTTP, and by manage.py."""

import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orderflow.keys import fresh_keys
from tests.containers.engine import TAG, Engine, TrialFailed
from tests.servers.ports import free_port

HOST = "orders.example.test"
SECRETS = ("SECRET_KEY", "ENCRYPTION_MASTER_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "SFTP_PASSWORD")
SEED = """
from django.contrib.auth import get_user_model
from orderflow.tenancy.models import Membership, Organization
organization = Organization.objects.create(name="Acme", slug="acme")
user = get_user_model().objects.create_user("ops")
Membership.objects.create(user=user, organization=organization, role="ADMIN")
"""


def fresh_settings() -> dict[str, str]:
    """A .env as behind a proxy that ends TLS, with some settings that are not the default."""
    passwords = {name: secrets.token_hex(12) for name in SECRETS if name.endswith("_PASSWORD")}
    return {
        **fresh_keys(),
        **passwords,
        "ORDERFLOW_TAG": TAG,
        "WEB_PORT": str(free_port()),
        "ALLOWED_HOSTS": HOST,
        "CSRF_TRUSTED_ORIGINS": f"https://{HOST}",
        "REQUIRE_TLS": "true",
        "BEHIND_TLS_PROXY": "true",
        "PUBLIC_URL": f"https://{HOST}",
        "ACK_POLL_INTERVAL_S": "5",
        "SWEEP_INTERVAL_S": "5",
        "LEASE_S": "20",
        "RATE_PUSH": "600/min",
        "TIME_ZONE": "Europe/Vienna",
        # Compose would replace the name that follows a $.
        "DEFAULT_FROM_EMAIL": "orders$HOME@example.test",
        # Left empty in .env.example: the containers' own database and Redis.
        "DATABASE_URL": "",
        "REDIS_URL": "",
    }


def write(settings: Mapping[str, str], path: Path) -> None:
    quoted = {name: f"'{value}'" if "$" in value else value for name, value in settings.items()}
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={value}\n" for name, value in quoted.items()), encoding="utf-8")


@dataclass(kw_only=True)
class Site:
    engine: Engine
    settings: Mapping[str, str]
    token: str = field(default="", repr=False)

    def seed(self) -> None:
        """An organization with a user, and a token of that user's."""
        self.engine.execute("web", "python", "manage.py", "shell", text=SEED)
        self.token = self.manage("create_token", "ops", "--name", "trial").strip()

    def manage(self, *arguments: str) -> str:
        return self.engine.execute("web", "python", "manage.py", *arguments)

    def get(self, path: str) -> Any:
        return self.api("GET", path)

    def api(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        text = self.request(method, f"/api/v1/{path}", body, headers)[1]
        return json.loads(text) if text else None

    def request(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[Mapping[str, str], str]:
        """As the proxy passes it on. Returns the response's headers and text; raises TrialFailed for an error."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.settings['WEB_PORT']}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Host": HOST, "X-Forwarded-Proto": "https", "Content-Type": "application/json", **(headers or {})},
        )
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - a port of this machine
                return dict(response.headers), response.read().decode()
        except urllib.error.HTTPError as error:
            raise TrialFailed(f"{method} {path}: {error.code} {error.read().decode()}") from error
