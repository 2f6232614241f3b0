"""Whether a connector class has what admin, API and core need of it; each reason names what is missing."""

from collections.abc import Iterator
from typing import Any

from connectors.base_connector import BaseConnector
from connectors.types.config_form import ConfigForm


def unfit(connector: Any) -> str:
    """Why the class cannot be used, in one sentence; empty for one that can."""
    if not isinstance(connector, type) or not issubclass(connector, BaseConnector):
        return f"{connector!r} is no subclass of connectors.base_connector.BaseConnector."[:300]
    try:
        return " ".join(_reasons(connector))
    except Exception as error:  # noqa: BLE001 - a third-party class may raise anything
        return f"Its attributes cannot be read: {type(error).__name__}."


def _reasons(connector: Any) -> Iterator[str]:
    wrong = [*_reasons_of_attributes(connector)]
    yield from wrong or _reasons_of_form(connector)


def _reasons_of_attributes(connector: Any) -> Iterator[str]:
    missing = sorted(getattr(connector, "__abstractmethods__", ()))
    if missing:
        yield f"It lacks the method{'s' if len(missing) > 1 else ''} {', '.join(missing)}."
    if not _is_text(getattr(connector, "label", None)):
        yield "Its attribute label is missing or no text."
    if not _is_set_of_texts(connector.secret_fields):
        yield "Its attribute secret_fields is no frozenset of texts."
    if not isinstance(connector.server_fields, tuple):
        yield "Its attribute server_fields is no tuple."
    form = getattr(connector, "config_form", None)
    if not isinstance(form, type) or not issubclass(form, ConfigForm):
        yield "Its attribute config_form is missing or no subclass of connectors.types.config_form.ConfigForm."


def _reasons_of_form(connector: Any) -> Iterator[str]:
    form = connector.config_form
    try:
        form()
    except Exception as error:  # noqa: BLE001 - as above
        yield f"Its config_form cannot be made: {type(error).__name__}."
        return
    unknown = sorted({*connector.secret_fields, *connector.server_fields} - form.base_fields.keys())
    if unknown:
        yield f"Its config_form has no field {', '.join(map(repr, unknown))}."


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_set_of_texts(value: Any) -> bool:
    return isinstance(value, set | frozenset) and all(isinstance(name, str) for name in value)
