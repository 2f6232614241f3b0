"""Prompts of a keyboard-interactive login: which of them the configured password is the response to.

SSH says nothing about what a prompt asks for, so its words decide. What they do not settle counts as a password only
where it is the one hidden prompt of its round and no password has been sent.
"""

import re
from collections.abc import Sequence
from enum import Enum

from connectors.sftp.auth.userauth import Prompt

# Many languages append the word for a code to another ("Sicherheitscode"); "tan" and "pin" end too many other words.
_CODE = re.compile(
    r"(?<!uni)(?<!\ben)(?<!\bde)code|(?<!adgangs)kode?\b|c[oó]digo|codice|\bкод\b"
    r"|\b(m|i|e|sms|push|chip|photo|mobile)?-?tans?\b|\b(app|sms|soft|sicherheits|karten|card)?-?pin\b"
    r"|token|jeton|otp\b|\b(2fa|mfa|sms|securid|duo|yubikey)\b|authenticator"
    r"|one[- ]?time|einmal|e[eé]nmalig|usage unique|verification|verifizierung|challenge|\bresponse\b|\bapprove\b"
    r"|\b(two|second|multi|zwei|zweite[rn]?|mehr|2)[- ]?fa[ck]tor|\b(six|sechs|[468])[- ](digit|stellig)",
    re.IGNORECASE,
)
_NEW = re.compile(
    r"\bnew (\w+ )?pass|\bretype\b|change (your|the) pass|\bexpired\b"
    r"|neues (pass|kenn)|abgelaufen|(pass|kenn)wort (sofort )?(zu )?ändern"
    r"|nouveau mot de passe|expiré|nueva contraseña|caducad",
    re.IGNORECASE,
)
_PASSWORD = re.compile(
    r"pa(ss|ß) ?wor[dt]|passphrase|kennwort|mot de passe|contraseña|senha|wachtwoord|parola"
    r"|adgangskode|kodeord|passord|lösenord|пароль|hasło|heslo",
    re.IGNORECASE,
)


class Asks(Enum):
    PASSWORD = "password"  # noqa: S105 - no password
    NEW_PASSWORD = "a new password"  # noqa: S105 - no password
    CODE = "a one-time code"
    OTHER = "something else"


def asks_for(said: str, prompts: Sequence[Prompt], *, was_sent: bool, user: str = "") -> Asks:
    """What one round of at least one prompt asks for.

    `said` is its title and instructions, `was_sent` whether the password was sent before: only then can a new one be
    asked for. `user` is the name that logs in.
    """
    texts = " ".join(_without_names(prompt.text, user) for prompt in prompts)
    if was_sent and _NEW.search(f"{said} {texts}"):
        return Asks.NEW_PASSWORD
    if _CODE.search(texts):
        return Asks.CODE
    if len(prompts) > 1:
        return Asks.OTHER
    if _PASSWORD.search(texts):
        return Asks.PASSWORD
    # Where the prompt does not say it, the instructions may.
    if _CODE.search(_without_names(said, user)):
        return Asks.CODE
    return Asks.OTHER if prompts[0].echo else Asks.PASSWORD


def _without_names(text: str, user: str) -> str:
    """Users and hosts may be called like a code: "token@example's password", "Password for token"."""
    text = re.sub(r"\S+@\S+", " ", text)
    name = re.escape(user)
    return re.sub(rf"\b(for|für|user|benutzer) ['\"`]?{name}\b|(?<!\w){name}'s\b", " ", text) if user else text
