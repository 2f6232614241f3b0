"""Redirects are not followed, because their target has not been checked; the log names the URL to enter."""

from urllib.parse import urljoin

from connectors.exceptions import ConfigError
from connectors.text.sanitize import tame
from exports.webhooks.client import url_policy

# Of the URL that a receiver names, as text.
SHOWN = 250


def advice(url: str, location: str) -> str:
    """What to do about a redirect from `url` to `location`, which the receiver chose."""
    try:
        target = urljoin(url, location)
    except ValueError:
        target = location
    shown = tame(target) if len(target) <= SHOWN else "a URL"
    try:
        url_policy.checked(target)
    except ConfigError as error:
        # It may hold a password.
        shown = "a URL" if "@" in target else shown
        return f"The receiver redirects to {shown}, which cannot be entered. {error}"
    if len(target) > SHOWN:
        return "The receiver redirects to a URL, which cannot be entered. It is too long."
    return f"The receiver redirects to {shown}: enter that URL."
