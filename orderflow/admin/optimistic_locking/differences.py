"""What was entered in a form, beside what is stored."""

from dataclasses import dataclass

from django.http import QueryDict

from orderflow.admin.optimistic_locking.form_data import Values, line_ends


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """`yours` is empty where the person entered nothing."""

    label: str
    yours: str
    stored: str


def typed_values(posted: QueryDict, base: Values) -> list[Difference]:
    """What was entered in a form that the row has no more, by the fields' names."""
    entered = {name: [line_ends(text) for text in value] for name, value in posted.lists() if _holds_input(name)}
    return [
        Difference(label=_words(name), yours=", ".join(value), stored="See below")
        for name, value in entered.items()
        if any(value) and value != base.get(name, [])
    ]


def _holds_input(name: str) -> bool:
    """Not what pages send besides: versions, tokens, and the counts of rows."""
    besides = name.startswith(("_", "csrf")) or name.endswith(("_FORMS", "-page")) or "__prefix__" in name
    return not besides


def _words(name: str) -> str:
    """Of the field lines-0-qty: Lines 1 qty."""
    parts = [str(int(part) + 1) if part.isdecimal() else part.replace("_", " ") for part in name.split("-")]
    return " ".join(parts).capitalize()
