"""Whether a server says of this account that its password has expired.

Greetings, policies and notices of maintenance speak of expired passwords too, and a connection that is blocked for one
of these stops for nothing. So a text counts only where it states the fact: neither a condition nor a rule.
"""

import re

_STATED = re.compile(
    r"(\b(your|the)( \w+)? |^)password (has |is |had )?(already )?expired\b"
    r"|(?<!\bno )password change (is )?(now )?required"
    r"|\byou (must|have to|need to|are required to) (now )?change (your|the)( \w+)? password"
    r"|\b(your|the)( \w+)? password (must|has to|needs to) be changed"
    r"|(\b(ihr|dein|das) |^)(\w+-)?(pass|kenn)wort (ist )?((?!nicht)\w+ )?abgelaufen"
    r"|\bmüssen (\w+ )?(pass|kenn)wort ((?!nicht)\w+ )*ändern|(pass|kenn)wort muss ((?!nicht)\w+ )*geändert"
    r"|mot de passe (a |est )?expiré|mot de passe doit être chang"
    r"|contraseña (ha |está )?(caducad|expirad)|debe cambiar (su|la) contraseña",
    re.IGNORECASE,
)
# Before the statement: it holds of some accounts, or at some time.
_CONDITION = re.compile(
    r"\b(if|when|whenever|once|unless|should|whose|wenn|falls|sobald|sollten?|deren|si|quand|lorsque|dont|cuando|cuya)\b",
    re.IGNORECASE,
)
# Anywhere beside it: it is to be done again and again, or later.
_RULE = re.compile(
    r"\bevery\b|\beach\b|\bregular|\bperiodic|\bat least\b|\bonce (a|per)\b|\b(month|quarter|year)ly\b"
    r"|\b(with)?in \d+ days|\balle \d|\bjede|\bregelmäßig|\binnerhalb\b|\btous les\b|\bcada\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.!?;:]+\s+|\n")


def says_password_expired(words: str) -> bool:
    """Whether one sentence of `words`, the server's, states that the password of who logs in has expired."""
    return any(map(_states_it, _SENTENCE.split(words)))


def _states_it(sentence: str) -> bool:
    sentence = sentence.strip()
    found = _STATED.search(sentence)
    return found is not None and not _CONDITION.search(sentence[: found.start()]) and not _RULE.search(sentence)
