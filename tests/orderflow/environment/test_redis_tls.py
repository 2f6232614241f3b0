"""B59: one URL, which both the cache and the broker read, over TLS to a real Redis."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from orderflow.environment.redis_url import redis_server as parsed
from tests.orderflow.environment.product import manage, refusals, run
from tests.servers.redis import RedisServer, redis_server
from tests.servers.webhooks import Authority

PASSWORD = "p@ss/wörd?#%"
USE_BOTH = """
import json, traceback, django
django.setup()
from django.core.cache import cache
from orderflow.celery import app

def tried(work):
    try:
        work()
    except Exception as error:
        text = "".join(traceback.format_exception(error))
        return "refused" if "CERTIFICATE_VERIFY_FAILED" in text else text
    return "ok"

def published():
    with app.connection_for_write() as connection, connection.SimpleQueue("trial") as queue:
        queue.put({"n": 1})
        queue.get(timeout=5).ack()

print(json.dumps([tried(lambda: cache.set("a", 1)), tried(published)]))
"""
OK, REFUSED = ["ok", "ok"], ["refused", "refused"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[RedisServer]:
    with redis_server(certificate=authority.issue("127.0.0.1"), password=PASSWORD) as server:
        yield server


def used(folder: Path, **settings: str) -> list[str]:
    done = run(folder, "-c", USE_BOTH, **settings)
    assert done.returncode == 0, done.stderr
    assert "insecure" not in done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("parameters", "outcome"),
    [
        ("", REFUSED),
        ("?ssl_cert_reqs=required", REFUSED),
        ("?ssl_cert_reqs=CERT_REQUIRED", REFUSED),
        ("?ssl_cert_reqs=none", OK),
        ("?ssl_cert_reqs=CERT_NONE", OK),
        ("?ssl_ca_certs={ca}", OK),
        ("?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs={ca}", OK),
    ],
)
def test_cache_and_broker_read_one_url_alike(
    server: RedisServer, authority: Authority, tmp_path: Path, parameters: str, outcome: list[str]
) -> None:
    url = server.url + parameters.format(ca=authority.file)
    assert used(tmp_path, REDIS_URL=url) == outcome


def test_one_setting_names_the_authority_for_both(server: RedisServer, authority: Authority, tmp_path: Path) -> None:
    assert used(tmp_path, REDIS_URL=server.url, REDIS_CA_FILE=str(authority.file)) == OK


def test_the_password_may_be_written_without_percent_encoding(
    server: RedisServer, authority: Authority, tmp_path: Path
) -> None:
    url = f"rediss://:{PASSWORD}@{server.url.rpartition('@')[2]}"
    assert used(tmp_path, REDIS_URL=url, REDIS_CA_FILE=str(authority.file)) == OK


def test_a_certificate_for_another_host_is_refused(authority: Authority, tmp_path: Path) -> None:
    with redis_server(certificate=authority.issue("redis.example")) as other:
        assert used(tmp_path, REDIS_URL=other.url, REDIS_CA_FILE=str(authority.file)) == REFUSED
        relaxed = f"{other.url}?ssl_check_hostname=false"
        assert used(tmp_path, REDIS_URL=relaxed, REDIS_CA_FILE=str(authority.file)) == OK


def test_check_names_a_certificate_that_is_not_trusted(
    server: RedisServer, authority: Authority, tmp_path: Path
) -> None:
    done = manage(tmp_path, "check", REDIS_URL=server.url)
    assert done.returncode == 1
    assert "orderflow.E001" in done.stderr
    assert "REDIS_URL is not trusted: unable to get local issuer" in done.stderr
    assert "REDIS_CA_FILE" in done.stderr
    assert manage(tmp_path, "check", REDIS_URL=server.url, REDIS_CA_FILE=str(authority.file)).returncode == 0


@pytest.mark.full
def test_the_check_of_a_container_says_what_it_is_about(server: RedisServer, tmp_path: Path) -> None:
    """About beat, whatever Redis is like."""
    assert manage(tmp_path, "migrate", "--verbosity", "0").returncode == 0
    done = manage(tmp_path, "check_beat", REDIS_URL=server.url)
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: Beat")
    assert "orderflow.E001" not in done.stderr


UNUSABLE = [
    ("rediss://:hunter2@h:6379/0?ssl_cert_reqs=CERT_MAYBE", {}, "has an ssl_cert_reqs other than required"),
    ("rediss://:hunter2@h:6379/0?ssl_ca_cert=x", {}, "has 1 unknown parameters"),
    ("rediss://:hunter2@h:6379/0?ssl_ca_certs=/nowhere/ca.pem", {}, "no such file or directory"),
    ("rediss://:hunter2@h:6379/0?ssl_check_hostname=perhaps", {}, "ssl_check_hostname other than true and false"),
    ("rediss://:hunter2@h:6379/0?ssl_keyfile=/nowhere/key.pem", {}, "must name a certificate and its key"),
    ("redis://:hunter2@h:6379/0?ssl_cert_reqs=required", {}, "Write rediss:// instead of redis://"),
    ("redis://:hunter2@h:port/0", {}, "Percent-encode"),
    ("redis://:hunter2@h:6379/zero", {}, "Percent-encode"),
    ("redis://:hunter2@/0", {}, "names no host"),
    ("memcached://:hunter2@h/0", {}, "must begin with redis:// or rediss://"),
    ("redis://:hunter2@h:6379/0", {"REDIS_CA_FILE": "CA"}, "REDIS_CA_FILE has no effect without TLS"),
    ("rediss://:hunter2@h:6379/0", {"REDIS_CA_FILE": __file__}, "REDIS_CA_FILE must name a file with certificates"),
]


@pytest.fixture(scope="module")
def refused(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    cases = [{"REDIS_URL": url, **more} for url, more, _ in UNUSABLE]
    cases = [{name: str(authority.file) if value == "CA" else value for name, value in case.items()} for case in cases]
    return refusals(tmp_path_factory.mktemp("settings"), cases)


@pytest.mark.parametrize(("number", "reason"), [(number, reason) for number, (_, _, reason) in enumerate(UNUSABLE)])
def test_what_cannot_be_used_is_refused_by_name_at_startup(refused: list[str], number: int, reason: str) -> None:
    text = refused[number]
    assert reason in text
    assert text.startswith("REDIS_")
    assert "hunter2" not in text


def test_the_broker_may_be_another_server(server: RedisServer, authority: Authority, tmp_path: Path) -> None:
    with redis_server() as plain:
        settings = {"REDIS_URL": plain.url, "CELERY_BROKER_URL": server.url}
        assert used(tmp_path, **settings) == ["ok", "refused"]
        assert used(tmp_path, **settings, REDIS_CA_FILE=str(authority.file)) == OK


@pytest.mark.django_db
def test_readyz_names_a_redis_that_cannot_be_used(server: RedisServer, authority: Authority, settings: Any) -> None:
    def problem(url: str, ca_file: str = "") -> dict[str, str] | None:
        settings.REDIS_SERVERS = [parsed("REDIS_URL", url, ca_file=ca_file)]
        found = Client().get("/readyz").json()["problems"]
        return next((each for each in found if each["component"] == "redis"), None)

    trusted = str(authority.file)
    assert problem(server.url, trusted) is None
    untrusted = problem(server.url)
    assert untrusted is not None
    assert untrusted["reason"].startswith(
        "The certificate of the Redis server in REDIS_URL is not trusted: unable to get local issuer"
    )
    assert "REDIS_CA_FILE" in untrusted["next_step"]
    wrong = problem(server.url.replace("p%40ss", "guess"), trusted)
    assert wrong is not None
    assert wrong["reason"] == "Redis rejects the login of REDIS_URL."
    gone = problem("rediss://127.0.0.1:1/0", trusted)
    assert gone is not None
    assert gone["reason"] == "Redis does not respond."
    assert "127.0.0.1" not in json.dumps([untrusted, wrong, gone])
