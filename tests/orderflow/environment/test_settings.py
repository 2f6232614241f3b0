"""B60, B62: what people write into the environment and `.env` is read as they mean it, or refused by its name."""

import os
from codecs import BOM_UTF8, BOM_UTF16_LE
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from orderflow.environment import env_file, server_urls
from orderflow.environment.reading import Environment, UnusableSetting
from tests.orderflow.environment.product import manage, refusals, run

SECRET = "hunter2"


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    monkeypatch.setenv("ENV_FILE", str(tmp_path / "none.env"))
    return Environment()


@pytest.mark.parametrize(
    ("password", "written"),
    [(plain, plain) for plain in ("p?w", "p/w", "p#w", "p@w", "p:w", "p%w", "p w", "p?x=y&/#@:w", "pä[w]")]
    + [("p?w", "p%3Fw"), ("p/w", "p%2Fw"), ("p@w", "p%40w"), ("p%w", "p%25w")],
)
def test_a_database_url_is_read_whatever_the_password(password: str, written: str) -> None:
    found = server_urls.database("DATABASE_URL", f"postgres://us%40er:{written}@db.example:5432/orders?sslmode=require")
    assert found["PASSWORD"] == password
    assert (found["USER"], found["HOST"], found["PORT"], found["NAME"]) == ("us@er", "db.example", 5432, "orders")
    assert found["OPTIONS"] == {"sslmode": "require"}
    assert found["ENGINE"] == "django.db.backends.postgresql"


@pytest.mark.parametrize("url", ["postgresql://h1:5432,h2:5433/orders", "postgres://u@/orders", "pgsql://[::1]:1/o"])
def test_other_forms_of_a_postgresql_url_are_read(url: str) -> None:
    assert server_urls.database("DATABASE_URL", url)["NAME"] == url.rpartition("/")[2]


UNUSABLE = [
    ("DATABASE_URL", f"mysql://u:{SECRET}@h/db", "must begin with postgres://"),
    ("DATABASE_URL", f"postgres://u:{SECRET}@h:54x/db", "Percent-encode"),
    ("DATABASE_URL", f"postgres://u:{SECRET}@[::1/db", "Percent-encode"),
    ("DATABASE_URL", f"postgres://u:{SECRET}@h/db#x", "Percent-encode"),
    ("DATABASE_URL", f"postgres://u:{SECRET}@h", "names no database"),
    ("DATABASE_URL", f"sqlite:{SECRET}", "must begin with"),
    ("DATABASE_URL", "sqlite://", "names no file"),
    ("EMAIL_URL", f"smtp+tls://u:{SECRET}@h:mail", "Percent-encode"),
    ("EMAIL_URL", f"smpt://u:{SECRET}@h:25", "must begin with smtp://"),
    ("EMAIL_URL", f"smtp://u:{SECRET}@", "names no mail server"),
    ("STORAGE_URL", f"https://{SECRET}.example", "must be empty or s3://bucket/prefix"),
    ("STORAGE_URL", "s3://", "must be empty or s3://bucket/prefix"),
    ("CELERY_BROKER_URL", f"kafka4://u:{SECRET}@h", "must begin with rediss://"),
    ("REQUIRE_TLS", f"ture{SECRET}", "must be true or false"),
    ("DEBUG", "2", "must be true or false"),
    ("LEASE_S", f"30 {SECRET}", "must be a number of seconds, more than 0"),
    ("LEASE_S", "nan", "must be a number of seconds"),
    ("LEASE_S", "0", "must be a number of seconds, more than 0"),
    ("SFTP_IDLE_S", "-1", "must be a number of seconds, at least 0"),
    ("WEBHOOK_SECRET_OVERLAP_H", "a day", "must be a number of hours, at least 0, such as 24"),
    ("DELIVERY_BATCH_SIZE", "1e3", "must be a whole number, at least 1"),
    ("DELIVERY_BATCH_SIZE", "0", "must be a whole number, at least 1"),
    ("DROPZONE_ALLOWED_NETWORKS", f"10.0.0.0/8, {SECRET}", "must be a comma-separated list of networks"),
    ("WEBHOOK_PRIVATE_NETWORKS", "10.0.0.5/8", "each with its first address"),
    ("TRUSTED_PROXIES", f"10.0.0.0/8 {SECRET}", "must be a comma-separated list of networks"),
    ("WEBHOOK_CA_FILE", f"/nowhere/{SECRET}", "must name a file with certificates in PEM form"),
    ("RATE_LOGIN", f"10/{SECRET}", "must be a number per s, min, hour or day"),
    ("RATE_PUSH", "0/min", "must be a number per s, min, hour or day"),
    ("LOG_LEVEL", f"verbose{SECRET}", "must be one of CRITICAL"),
    ("TIME_ZONE", f"Europe/{SECRET}", "must be the name of a time zone"),
    ("TIME_ZONE", f"../{SECRET}", "must be the name of a time zone"),
    ("PUBLIC_URL", f"{SECRET}.example", "must begin with https://"),
    ("S3_ENDPOINT_URL", f"{SECRET}:9000", "must begin with https://"),
    ("ALLOWED_HOSTS", f"https://{SECRET}.example", "list of host names, without https:// and port"),
    ("ALLOWED_HOSTS", f"a.example, {SECRET}:8000", "list of host names, without https:// and port"),
    ("SECRET_KEY", "", "is not set"),
    ("SECRET_KEY_FILE", f"/nowhere/{SECRET}", "names a file that cannot be read: no such file"),
    ("DATA_DIR", "/proc/orderflow", "names a folder that cannot be made"),
]


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    cases = [{name: value} for name, value, _ in UNUSABLE]
    texts = refusals(tmp_path_factory.mktemp("settings"), cases)
    return {(name, value): text for (name, value, _), text in zip(UNUSABLE, texts, strict=True)}


@pytest.mark.parametrize(("name", "value", "says"), UNUSABLE)
def test_an_unusable_setting_is_named_in_one_line_without_its_value(
    refused: dict[tuple[str, str], str], name: str, value: str, says: str
) -> None:
    text = refused[name, value]
    assert text.startswith(f"{name} ")
    assert says in text
    assert SECRET not in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "command",
    [
        ("-m", "gunicorn", "orderflow.wsgi", "--bind", "127.0.0.1:0", "--no-control-socket"),
        ("-m", "celery", "-A", "orderflow", "worker"),
        ("-m", "celery", "-A", "orderflow", "beat"),
        ("manage.py", "migrate"),
        ("manage.py", "demo", "--once"),
    ],
    ids=["web", "worker", "beat", "command", "demo"],
)
def test_every_process_ends_with_the_line_and_without_a_traceback(tmp_path: Path, command: tuple[str, ...]) -> None:
    script = [str(Path(env_file.DEFAULT).parent / part) if part == "manage.py" else part for part in command]
    done = run(tmp_path, *script, DELIVERY_BATCH_SIZE="many")
    assert done.returncode == 3
    assert "OrderFlow cannot start: DELIVERY_BATCH_SIZE must be a whole number" in done.stderr
    assert "Traceback" not in done.stderr
    assert "many" not in done.stderr


WRITTEN = """
# A comment
SECRET_KEY="abc # def"   # the key
export DATABASE_URL=postgres://u:p#w@h/db # production
 LEASE_S = 45\t# seconds
ALLOWED_HOSTS='a.example, b.example'
EMPTY=
QUOTED="a \\"b\\" \\\\ \\n"
"""
READ = {
    "SECRET_KEY": "abc # def",
    "DATABASE_URL": "postgres://u:p#w@h/db",
    "LEASE_S": "45",
    "ALLOWED_HOSTS": "a.example, b.example",
    "EMPTY": "",
    "QUOTED": 'a "b" \\ \\n',
}


@pytest.mark.parametrize(
    "content",
    [
        WRITTEN.encode(),
        WRITTEN.replace("\n", "\r\n").encode(),
        BOM_UTF8 + WRITTEN.lstrip().encode(),
        BOM_UTF16_LE + WRITTEN.replace("\n", "\r\n").encode("utf-16-le"),
    ],
    ids=["unix", "windows", "byte order mark", "utf-16"],
)
def test_an_env_file_is_read_as_editors_save_it(content: bytes) -> None:
    assert env_file.parse(content, ".env") == READ


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"A=1\nSECRET_KEY hunter2\n", ".env, line 2: this is not NAME=value"),
        (b"A='hunter2\n", ".env, line 1:"),
        (b'A="hunter2" 3\n', ".env, line 1:"),
        ("A=hunter2ä".encode("latin-1"), ".env is not text in UTF-8"),
        (b"A=hun\0ter2", ".env contains a null byte"),
    ],
)
def test_an_env_file_that_cannot_be_read_is_reported_without_its_content(content: bytes, says: str) -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        env_file.parse(content, ".env")
    assert str(raised.value).startswith(says)
    assert SECRET not in str(raised.value)


def test_an_env_file_that_may_not_be_opened_is_reported(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", ENV_FILE=str(tmp_path))
    assert (done.returncode, done.stderr) == (
        3,
        f"OrderFlow cannot start: {tmp_path} cannot be read: is a directory.\n",
    )


def test_the_environment_takes_precedence_over_the_file(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(os.environ["ENV_FILE"])
    path.write_text("TRIAL_A=file\nTRIAL_B=file\n")
    monkeypatch.setenv("TRIAL_A", "environment")
    monkeypatch.delenv("TRIAL_B", raising=False)
    read = Environment()
    monkeypatch.setenv("TRIAL_B", os.environ["TRIAL_B"])
    assert (read.text("TRIAL_A"), read.text("TRIAL_B")) == ("environment", "file")


def test_blanks_in_lists_are_ignored(tmp_path: Path) -> None:
    lists = {
        "ALLOWED_HOSTS": " a.example , b.example,\t",
        "CSRF_TRUSTED_ORIGINS": "https://a.example, https://b.example",
        "DROPZONE_ALLOWED_NETWORKS": "10.0.0.0/8 , 192.168.0.0/16",
        "WEBHOOK_PRIVATE_NETWORKS": " 10.0.0.0/8, fd00::/8",
        "ENCRYPTION_PREVIOUS_KEYS": "one , two",
    }
    script = f"from orderflow import settings as s; print(*[[str(v) for v in getattr(s, n)] for n in {list(lists)}])"
    done = run(tmp_path, "-c", script, **lists)
    assert done.stdout == (
        "['a.example', 'b.example'] ['https://a.example', 'https://b.example'] ['10.0.0.0/8', '192.168.0.0/16'] "
        "['10.0.0.0/8', 'fd00::/8'] ['one', 'two']\n"
    ), done.stderr


def test_an_empty_value_counts_as_not_set(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAL", "  ")
    assert env.integer("TRIAL", 7) == 7
    assert env.boolean("TRIAL", default=True)
    assert env.entries("TRIAL", ("a",)) == ["a"]


def test_a_value_from_a_file_is_read_as_editors_save_it(
    env: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(BOM_UTF8 + b"abc\r\n")
    monkeypatch.setenv("TRIAL_FILE", str(tmp_path / "secret"))
    assert env.secret("TRIAL") == "abc"
    (tmp_path / "secret").write_bytes(b"")
    with pytest.raises(UnusableSetting, match="TRIAL is not set"):
        env.secret("TRIAL")


def test_a_mail_server_gets_the_port_of_its_scheme_and_any_password() -> None:
    found = server_urls.email("EMAIL_URL", "smtp+tls://a@b.example:p/w?x@mail.example")
    wanted: dict[str, Any] = {
        "EMAIL_HOST_USER": "a@b.example",
        "EMAIL_HOST_PASSWORD": "p/w?x",
        "EMAIL_HOST": "mail.example",
        "EMAIL_PORT": 587,
        "EMAIL_USE_TLS": True,
    }
    assert {name: found.get(name) for name in wanted} == wanted


def test_the_web_server_starts_without_a_warning(tmp_path: Path) -> None:
    """Without a collectstatic, static files come from where the packages keep them."""
    done = run(tmp_path, "-W", "default::UserWarning", "-m", "gunicorn", "--check-config", "orderflow.wsgi")
    assert (done.returncode, done.stderr) == (0, "")
