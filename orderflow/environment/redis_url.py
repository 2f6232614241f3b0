"""The URL of a Redis server, for the two libraries that read it: redis-py for the cache, Kombu for the broker."""

import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from orderflow.environment.paths import certificates, why
from orderflow.environment.reading import BOOLEANS, UnusableSetting
from orderflow.environment.server_urls import canonical, unreadable

SCHEMES = ("redis", "rediss")

_VERIFICATION = {"required": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL, "none": ssl.CERT_NONE}
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_PARAMETERS = ("ssl_cert_reqs", "ssl_check_hostname", *_FILES)


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisServer:
    """`setting` is the name of the setting that it comes from, `url` has no parameters, `tls` is empty without TLS."""

    setting: str
    url: str = field(repr=False)
    tls: dict[str, Any]

    @property
    def as_cache(self) -> dict[str, Any]:
        """As one of Django's CACHES."""
        # A request does not wait for a server that is down.
        options = {"socket_connect_timeout": 2, "socket_timeout": 5, **self.tls}
        return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": self.url, "OPTIONS": options}


def is_redis(url: str) -> bool:
    return url.lower().startswith(tuple(f"{scheme}://" for scheme in SCHEMES))


def redis_server(setting: str, text: str, *, ca_file: str) -> RedisServer:
    """Verifies the server's certificate unless the URL says otherwise. Raises `UnusableSetting`."""
    parts = urlsplit(canonical(setting, text, SCHEMES))
    if not parts.hostname:
        raise UnusableSetting(setting, "names no host. Write rediss://:password@host:6379/0.")
    if parts.path.strip("/") and not parts.path.strip("/").isdecimal():
        raise unreadable(setting)
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := set(parameters) - set(_PARAMETERS):
        raise UnusableSetting(setting, f"has {len(unknown)} unknown parameters. Known: {', '.join(_PARAMETERS)}.")
    url = parts._replace(query="").geturl()
    if parts.scheme == "redis":
        if parameters:
            raise UnusableSetting(setting, "has parameters for TLS, but no TLS. Write rediss:// instead of redis://.")
        return RedisServer(setting=setting, url=url, tls={})
    return RedisServer(setting=setting, url=url, tls=_tls(setting, parameters, ca_file))


def _tls(setting: str, parameters: dict[str, str], ca_file: str) -> dict[str, Any]:
    verification = _VERIFICATION.get(parameters.get("ssl_cert_reqs", "required").lower().removeprefix("cert_"))
    if verification is None:
        raise UnusableSetting(setting, f"has an ssl_cert_reqs other than {', '.join(_VERIFICATION)}.")
    check_hostname = BOOLEANS.get(parameters.get("ssl_check_hostname", "true").lower())
    if check_hostname is None:
        raise UnusableSetting(setting, "has an ssl_check_hostname other than true and false.")
    files = {name: parameters[name] for name in _FILES if parameters.get(name)}
    if ca_file:
        files.setdefault("ssl_ca_certs", ca_file)
    certificates(f"{setting} with ssl_ca_certs", parameters.get("ssl_ca_certs", ""))
    _client_certificate(setting, files)
    verifies = verification != ssl.CERT_NONE
    return {"ssl_cert_reqs": verification, "ssl_check_hostname": verifies and check_hostname, **files}


def _client_certificate(setting: str, files: dict[str, str]) -> None:
    """Raises `UnusableSetting` where a client's certificate or key cannot be loaded."""
    if "ssl_certfile" not in files and "ssl_keyfile" not in files:
        return
    try:
        context = ssl.create_default_context()
        context.load_cert_chain(files.get("ssl_certfile", ""), files.get("ssl_keyfile"), password="")
    except (OSError, ValueError) as error:
        raise UnusableSetting(
            f"{setting} with ssl_certfile and ssl_keyfile", f"must name a certificate and its key: {why(error)}."
        ) from None
