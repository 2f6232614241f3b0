"""The file of settings, `.env`: one NAME=value per line."""

import os
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

DEFAULT = Path(__file__).resolve().parents[2] / ".env"

_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)\s*=(.*)", re.ASCII | re.DOTALL)
_COMMENT = re.compile(r"\s#.*")
_QUOTED = {"'": re.compile(r"'([^']*)'\s*(?:#.*)?"), '"': re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?')}
_ESCAPED = re.compile(r"\\([^rnt])")


def location() -> Path:
    """The file that ENV_FILE names, otherwise `.env` in the project's folder."""
    return Path(os.environ.get("ENV_FILE") or DEFAULT)


def load(path: Path) -> None:
    """Adds the file's settings to the environment, which takes precedence. A missing file adds none.

    Raises `ImproperlyConfigured`, which quotes nothing of the file.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ImproperlyConfigured(f"{path} cannot be read: {reason(error)}.") from None
    for name, value in parse(content, str(path)).items():
        os.environ.setdefault(name, value)


def parse(content: bytes, place: str) -> dict[str, str]:
    """The settings in a file's bytes, as Unix, Windows and Docker Compose write them.

    Raises `ImproperlyConfigured` with `place` and the number of a line that has another form.
    """
    settings = {}
    for number, line in enumerate(decode(content, place).splitlines(), 1):
        text = line.strip()
        if text and not text.startswith("#"):
            assignment = _ASSIGNMENT.fullmatch(text)
            value = assignment and _value(assignment[2])
            if assignment is None or value is None:
                raise ImproperlyConfigured(f"{place}, line {number}: {_FORM}")
            settings[assignment[1]] = value
    return settings


_FORM = (
    "this is not NAME=value. Write one setting per line; a value in quotation marks ends with the same mark, "
    "and only a # comment may follow it."
)


def decode(content: bytes, place: str) -> str:
    """Text with or without a byte order mark. Raises `ImproperlyConfigured`."""
    encoding = "utf-16" if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{place} is not text in UTF-8. Save it with that encoding.") from None
    if "\0" in text:
        raise ImproperlyConfigured(f"{place} contains a null byte. Save it as text in UTF-8.")
    return text


def _value(text: str) -> str | None:
    """None for a quotation mark that does not end the value."""
    quoted = _QUOTED.get(text.lstrip()[:1])
    if quoted is None:
        return _COMMENT.split(text, maxsplit=1)[0].strip()
    found = quoted.fullmatch(text.strip())
    if found is None:
        return None
    return _ESCAPED.sub(r"\1", found[1]) if text.lstrip().startswith('"') else found[1]


def reason(error: OSError) -> str:
    """For the end of a sentence."""
    return (error.strerror or "no reason given").lower()
