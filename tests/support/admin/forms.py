"""Forms of a page as a browser sends them: what stands in the page, with what a person enters over it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from django.test import Client

BUTTONS = ("submit", "button", "image", "reset", "file")


@dataclass(kw_only=True)
class Form:
    id: str
    action: str
    fields: dict[str, list[str]] = field(default_factory=dict)

    def data(self, **entered: Any) -> dict[str, Any]:
        """`entered` by the fields' names; None sends a field no more, as of a box that is not ticked."""
        sent = {**self.fields, **entered}
        return {name: value for name, value in sent.items() if value is not None}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._select: tuple[str, list[str], list[str]] | None = None
        self._area: tuple[str, list[str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(id=found.get("id", ""), action=found.get("action", ""))
            self.forms.append(self._open)
        elif tag == "input":
            self._input(found)
        elif tag == "select":
            self._select = (found.get("name", ""), [], [])
        elif tag == "option" and self._select:
            self._select[1].append(found.get("value", ""))
            if "selected" in found:
                self._select[2].append(found.get("value", ""))
        elif tag == "textarea":
            self._area = (found.get("name", ""), [])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select" and self._select:
            name, options, selected = self._select
            self._add(name, *(selected or options[:1]))
            self._select = None
        elif tag == "textarea" and self._area:
            name, text = self._area
            self._add(name, "".join(text).removeprefix("\n"))
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area:
            self._area[1].append(data)

    def _input(self, found: dict[str, str]) -> None:
        kind = found.get("type", "text")
        if kind in BUTTONS or (kind in ("checkbox", "radio") and "checked" not in found):
            return
        self._add(found.get("name", ""), found.get("value", "on" if kind == "checkbox" else ""))

    def _add(self, name: str, *values: str) -> None:
        if self._open is not None and name:
            self._open.fields.setdefault(name, []).extend(values)


def forms_of(page: str) -> Iterator[Form]:
    reader = _Reader()
    reader.feed(page)
    yield from reader.forms


def form_in(page: str, *, id: str = "", action: str = "") -> Form:
    """The one form with this id, or that is sent there."""
    [found] = [each for each in forms_of(page) if (id and each.id == id) or (action and each.action == action)]
    return found


def form_at(client: Client, url: str, *, id: str = "", action: str = "") -> Form:
    return form_in(client.get(url).content.decode(), id=id, action=action)
