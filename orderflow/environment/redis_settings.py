"""The Redis servers that the settings name, one for the cache and one for the broker, often the same."""

from dataclasses import dataclass, field

from kombu.transport import TRANSPORT_ALIASES

from orderflow.environment.paths import certificates
from orderflow.environment.reading import Environment, UnusableSetting
from orderflow.environment.redis_url import RedisServer, is_redis, redis_server

EMBEDDED = "embedded"


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisSettings:
    """`cache` and `broker` are None where another thing than Redis is used, `broker_url` is empty by default."""

    cache: RedisServer | None
    broker: RedisServer | None
    broker_url: str = field(repr=False)

    @property
    def servers(self) -> list[RedisServer]:
        """Each one once."""
        found = {server.url: server for server in (self.broker, self.cache) if server}
        return list(found.values())


def read(env: Environment) -> RedisSettings:
    """Raises `UnusableSetting`."""
    # Authorities to trust besides the system's.
    ca_file = certificates("REDIS_CA_FILE", env.text("REDIS_CA_FILE"))
    url, broker_url = env.text("REDIS_URL"), env.text("CELERY_BROKER_URL")
    cache = redis_server("REDIS_URL", url, ca_file=ca_file) if url else None
    broker = redis_server("CELERY_BROKER_URL", broker_url, ca_file=ca_file) if is_redis(broker_url) else None
    if broker_url and broker is None:
        _require_known_transport(broker_url)
    elif not broker_url:
        broker = cache
    found = RedisSettings(cache=cache, broker=broker, broker_url=broker.url if broker else broker_url)
    if ca_file and not any(server.tls for server in found.servers):
        raise UnusableSetting("REDIS_CA_FILE", "has no effect without TLS. Write rediss:// in REDIS_URL, or remove it.")
    return found


def _require_known_transport(url: str) -> None:
    if url.partition("://")[0] not in {*TRANSPORT_ALIASES, EMBEDDED}:
        raise UnusableSetting(
            "CELERY_BROKER_URL", "must begin with rediss://, redis://, amqps://, amqp:// or embedded:///."
        )
