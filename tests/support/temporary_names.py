"""The temporary names that a delivery uses at a dropzone with the default form `{name}.tmp`."""

import re
from collections.abc import Iterable

_MARK = re.compile(r"\.t\d+-\d+(?=\.json)")


def temporary_name(filename: str, mark: str = "1-1") -> str:
    """As the holder with the token 1 names it in its first batch."""
    return f"{filename.removesuffix('.json')}.t{mark}.json.tmp"


def unmarked(names: Iterable[str]) -> list[str]:
    """`names` without what tells lease holders apart, in order."""
    return [_MARK.sub("", name) for name in names]
