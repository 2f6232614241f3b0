"""The names of JSON acks, `ack_<export file>` and `error_<export file>` in any case, and why another is not read."""

import re

from connectors.documents.naming import in_our_case, is_sales_order_name

# A browser's second copy of a file, with what keeps two files of one name apart in processed/.
_COPY = r"(?: ?\(\d{1,3}\)(?:\.[0-9a-f]{8})?)?"
# Some ERPs append a second .json to the name of the export.
NAME = re.compile(
    rf"(?P<kind>ack|error)_(?P<stem>[A-Za-z0-9._-]{{1,120}}?){_COPY}\.json(?:{_COPY}\.json)?",
    re.ASCII | re.IGNORECASE,
)
KINDS = frozenset(("ack", "error"))
_KIND = re.compile("ack|err|fail|reject", re.IGNORECASE)


def export_filename(name: str) -> str | None:
    """The export that a file of this name acknowledges; None for a file that is no ack by its name.

    The case matters in the export's own name only, and not where that is one of `sales_order_name`'s.
    """
    kind, _, filename = name.partition("_")
    if kind in KINDS and is_sales_order_name(filename):
        # Nearly all of them; the pattern takes ten times as long.
        return filename
    match = NAME.fullmatch(name) if kind.lower() in KINDS else None
    return f"{in_our_case(match['stem'])}.json" if match else None


def is_error(name: str) -> bool:
    return name[:6].lower() == "error_"


def why_not_read(name: str, filename: str) -> str:
    """Why a file whose name contains that of the export `filename` is not read, and how its name has to be."""
    return f"{_what_is_wrong(name)} Have the ERP name it {_right_name(name, filename)}, or rename it: it is read then."


def _what_is_wrong(name: str) -> str:
    lower = name.lower()
    if not lower.endswith(".json"):
        _, dot, extension = name.rpartition(".")
        ending = f"ends in .{extension}" if dot and 0 < len(extension) <= 12 else "has no extension"
        return f"Its name {ending}, and that of an acknowledgement in .json."
    if not lower.startswith(("ack_", "error_")):
        return "Its name begins with neither ack_ nor error_."
    return "Its name has more in it than ack_ or error_ and the order file's name."


def _right_name(name: str, filename: str) -> str:
    found = _KIND.search(name)
    if found is None:
        return f"ack_{filename} or error_{filename}"
    return f"ack_{filename}" if found[0].lower() == "ack" else f"error_{filename}"
