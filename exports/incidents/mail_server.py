"""What the mail server did with an e-mail: why it rejected one, in words without secrets, kept for administrators."""

import base64
import smtplib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core import mail
from django.core.mail.message import sanitize_address
from django.db.models import Q
from django.utils import timezone

from connectors.text.sanitize import tame
from exports.incidents.models import MailFailure, Recipient

LONGEST = 400
# By address, as smtplib returns them.
Refused = dict[str, tuple[int, bytes]]


@contextmanager
def session() -> Iterator[tuple[Any, Refused]]:
    """A session with the mail server, and the addresses that it has refused in it while it accepted others: smtplib
    returns these, and Django leaves them out. Raises `OSError`, which smtplib's errors are."""
    refused: Refused = {}
    with mail.get_connection() as server:
        smtp = getattr(server, "connection", None)
        if isinstance(smtp, smtplib.SMTP):
            send = smtp.sendmail

            def sendmail(*args: Any, **kwargs: Any) -> Refused:
                answer = send(*args, **kwargs)
                refused.update(answer)
                return answer

            smtp.sendmail = sendmail  # type: ignore[method-assign]
        yield server, refused


def accepted(organization_id: UUID, addresses: Collection[str], refused: Refused) -> None:
    """An e-mail to `addresses`, recipients of the organization, was accepted, though not for those `refused`."""
    taken = []
    for address in addresses:
        if answer := answer_about(address, refused):
            failed(organization_id, [address], rejected({address: answer}))
        else:
            taken.append(address)
    rows = MailFailure.objects.filter(organization=organization_id)
    recipients = Recipient.objects.filter(organization=organization_id).values("email")
    rows.filter(Q(email__in=taken) | ~Q(email__in=recipients)).delete()


def failed(organization_id: UUID, addresses: Iterable[str], reason: str) -> None:
    """An e-mail to `addresses`, recipients of the organization, was not accepted."""
    values = {"failed_at": timezone.now(), "reason": reason}
    for address in addresses:
        MailFailure.objects.update_or_create(organization_id=organization_id, email=address, defaults=values)


def answer_about(address: str, refused: Refused) -> tuple[int, bytes] | None:
    """None where the server accepted it. Django encodes a domain that is not ASCII."""
    return refused.get(address) or refused.get(sanitize_address(address, "utf-8"))


def reason(error: OSError) -> str:
    """A sentence, such as "The mail server responded: 550 No such user."."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return rejected(error.recipients)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        text = f"The mail server rejected the login of EMAIL_URL: {_answer(error.smtp_code, error.smtp_error)}"
    elif isinstance(error, smtplib.SMTPResponseException):
        text = f"The mail server responded: {_answer(error.smtp_code, error.smtp_error)}"
    else:
        text = f"The mail server cannot be used: {error or type(error).__name__}"
    return _presentable(text)


def rejected(refused: Mapping[str, tuple[int, bytes]]) -> str:
    """A sentence about these addresses; empty for none."""
    answers = ", ".join(f"{address}: {_answer(*answer)}" for address, answer in refused.items())
    return _presentable(f"The mail server rejected {answers}") if answers else ""


def _answer(code: int, text: bytes | str) -> str:
    return f"{code} {text.decode(errors='replace') if isinstance(text, bytes) else text}".strip()


def _presentable(text: str) -> str:
    """On one line, without the password of EMAIL_URL in any form in which a server may repeat it."""
    user, password = settings.EMAIL_HOST_USER or "", settings.EMAIL_HOST_PASSWORD or ""
    for secret in (password, *(_encoded(each) for each in (f"\0{user}\0{password}", password))) if password else ():
        text = text.replace(secret, "***")
    return tame(text)[:LONGEST]


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
