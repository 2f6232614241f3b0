"""What a third-party connector may raise, as an error that people can read and the database can store."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from connectors.exceptions import (
    ConfigError,
    ConnectorError,
    InDoubtError,
    RejectedError,
    TransientError,
    UndecidedError,
)
from connectors.fencing import LeaseLost
from connectors.text.sanitize import tame

logger = logging.getLogger(__name__)


class ConnectorFault(ConfigError):
    """The connector itself is at fault: a person has to fix, update or remove its package."""


@contextmanager
def guarded(connector_type: str) -> Iterator[None]:
    """Around calls of a connector that send nothing. Raises `ConnectorError`, also in place of any other exception, and
    `LeaseLost`."""
    try:
        yield
    except (ConnectorError, LeaseLost):
        raise
    except Exception as error:
        raise fault(connector_type, error) from error


@contextmanager
def configuring(connector_type: str) -> Iterator[None]:
    """Around calls of a connector that check a config. Raises `ConfigError`, in place of any other exception."""
    try:
        with guarded(connector_type):
            yield
    except ConfigError as error:
        if all(isinstance(one.field, str) for one in error.each):
            raise
        raise ConfigError(words(error)) from error
    except ConnectorError as error:
        raise ConfigError(words(error)) from error


def fault(connector_type: str, error: BaseException) -> ConnectorFault:
    """`error` is logged with its traceback; its text may hold secrets, so that the message has only its type."""
    logger.error("Connector %s failed unexpectedly", connector_type, exc_info=error)
    return ConnectorFault(
        f"Connector {connector_type} failed unexpectedly with {tame(type(error).__name__)}. The log has the traceback. "
        "Fix or update the connector, then test the connection.",
        field="connector_type",
    )


def plain(error: ConnectorError) -> ConnectorError:
    """An error of the kind that the core tells apart, with a text that can be stored, whatever subclass it was."""
    message = words(error)
    if isinstance(error, ConfigError):
        return ConfigError(message, missing_key=_key(error.missing_key))
    for kind in (UndecidedError, InDoubtError, TransientError):
        if isinstance(error, kind):
            return kind(message)
    return TransientError(message) if error.retryable is True else RejectedError(message)


def words(error: BaseException) -> str:
    try:
        return tame(str(error)) or type(error).__name__
    except Exception:  # noqa: BLE001 - a third-party exception may fail even at this
        return type(error).__name__


def _key(missing_key: object) -> str:
    """An encryption key's id, 16 hexadecimal digits at the most."""
    return missing_key if isinstance(missing_key, str) and len(missing_key) <= 16 and missing_key.isalnum() else ""
