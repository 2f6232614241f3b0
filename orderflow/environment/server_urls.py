"""URLs of servers, as people write them: a password is taken up to the last @, with or without percent-encoding."""

from collections.abc import Collection
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from orderflow.environment.reading import UnusableSetting

POSTGRES = ("postgres", "postgresql", "pgsql")
SQLITE = ("sqlite",)
SQLITE_ENGINE = "django.db.backends.sqlite3"
EMAIL_PORTS = {"smtp": 25, "smtps": 587, "smtp+tls": 587, "smtp+ssl": 465}
# For trying out and for tests.
EMAIL_WITHOUT_SERVER = ("consolemail", "filemail", "memorymail", "dummymail")

_ENCODE = (
    "Percent-encode special characters in the user name and the password, such as ? as %3F, / as %2F, # as %23, "
    "@ as %40 and % as %25."
)


def canonical(name: str, text: str, schemes: Collection[str]) -> str:
    """The URL with its user name and password percent-encoded. Raises `UnusableSetting`."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in schemes:
        raise UnusableSetting(name, f"must begin with {' or '.join(f'{each}://' for each in schemes)}.")
    login, at, place = rest.rpartition("@")
    user, colon, password = login.partition(":")
    url = f"{scheme.lower()}://{_encoded(user)}{colon}{_encoded(password)}{at}{place}"
    try:
        parts = urlsplit(url)
        if "," not in parts.netloc and parts.port == 0:
            raise unreadable(name)
    except ValueError:
        raise unreadable(name) from None
    if parts.fragment:
        raise unreadable(name)
    return url


def unreadable(name: str) -> UnusableSetting:
    return UnusableSetting(name, f"is no URL that can be read. {_ENCODE}")


def database(name: str, text: str) -> dict[str, Any]:
    """Django's settings of the database. Raises `UnusableSetting`."""
    if text.partition("://")[0].lower() in SQLITE:
        return _sqlite(name, text)
    url = canonical(name, text, (*POSTGRES, *SQLITE))
    found = _parsed(name, environ.Env.db_url_config, url)
    if not found["NAME"]:
        raise UnusableSetting(name, "names no database. Write postgres://user:password@host:5432/database.")
    return found


def _sqlite(name: str, text: str) -> dict[str, Any]:
    path = text.partition("://")[2]
    if not path.startswith("/") or not path.strip("/"):
        raise UnusableSetting(name, "names no file. Write sqlite:////absolute/path, with four slashes.")
    return _parsed(name, environ.Env.db_url_config, text)


def email(name: str, text: str) -> dict[str, Any]:
    """Django's settings of the mail server. Raises `UnusableSetting`."""
    if text.partition("://")[0] in EMAIL_WITHOUT_SERVER:
        return _parsed(name, environ.Env.email_url_config, text)
    url = canonical(name, text, EMAIL_PORTS)
    found = _parsed(name, environ.Env.email_url_config, url)
    if not found["EMAIL_HOST"]:
        raise UnusableSetting(name, "names no mail server. Write smtp+tls://user:password@host:587.")
    return {**found, "EMAIL_PORT": found["EMAIL_PORT"] or EMAIL_PORTS[urlsplit(url).scheme]}


def storage(name: str, text: str, *, endpoint: str) -> dict[str, Any]:
    """Django's storage in S3. Raises `UnusableSetting`."""
    bucket, _, prefix = text.removeprefix("s3://").partition("/")
    if not text.startswith("s3://") or not bucket:
        raise UnusableSetting(name, "must be empty or s3://bucket/prefix.")
    options = {
        "bucket_name": bucket,
        "location": prefix,
        "endpoint_url": endpoint or None,
        "default_acl": None,
        "file_overwrite": True,
    }
    if endpoint:
        options["client_config"] = _without_trailing_checksums()
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}


def _without_trailing_checksums() -> Any:
    """Many S3 services other than Amazon's reject the checksums that boto3 sends by default."""
    # Loaded only where S3 is used.
    from botocore.config import Config  # noqa: PLC0415

    return Config(request_checksum_calculation="when_required", response_checksum_validation="when_required")


def _parsed(name: str, parse: Any, url: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = parse(url)
    except (ValueError, ImproperlyConfigured):
        raise unreadable(name) from None
    return found


def _encoded(text: str) -> str:
    return quote(unquote(text), safe="")
