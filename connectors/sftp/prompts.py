"""Prompts of a keyboard-interactive login: which of them the configured password is the response to.

SSH says nothing about what a prompt asks for, so its words decide. What they do not settle counts as a password only
where it is the one hidden prompt of its round and no password has been sent.
"""

import re
from collections.abc import Sequence
from enum import Enum

from connectors.sftp.dialogue import Prompt

_CODE = re.compile(
    r"\b(code|kode|token|otp|totp|2fa|mfa|pin|passcode|tan|securid|authenticator|duo)\b"
    r"|one[- ]?time|einmal|verification|two[- ]factor|second factor",
    re.IGNORECASE,
)
_NEW = re.compile(
    r"\bnew (\w+ )?pass|\bretype\b|change (your|the) pass|\bexpired\b"
    r"|neues (pass|kenn)|abgelaufen|nouveau mot de passe|expiré|nueva contraseña|caducad",
    re.IGNORECASE,
)
_PASSWORD = re.compile(r"pass ?wor[dt]|passphrase|kennwort|mot de passe|contraseña|senha|wachtwoord", re.IGNORECASE)


class Asks(Enum):
    PASSWORD = "password"  # noqa: S105 - no password
    NEW_PASSWORD = "a new password"  # noqa: S105 - no password
    CODE = "a one-time code"
    OTHER = "something else"


def asks_for(said: str, prompts: Sequence[Prompt], *, was_sent: bool) -> Asks:
    """What one round of at least one prompt asks for; `said` is its title and instructions, `was_sent` whether the
    password was sent before: only then can a new one be asked for."""
    texts = " ".join(prompt.text for prompt in prompts)
    if was_sent and _NEW.search(f"{said} {texts}"):
        return Asks.NEW_PASSWORD
    if _CODE.search(texts):
        return Asks.CODE
    if len(prompts) > 1:
        return Asks.OTHER
    (prompt,) = prompts
    if _PASSWORD.search(prompt.text) or not prompt.echo:
        return Asks.PASSWORD
    # Shown as it is typed: a code, if the instructions speak of one.
    return Asks.CODE if _CODE.search(said) else Asks.OTHER
