from celery import shared_task

from orderflow.api import idempotency
from orderflow.api.tokens import service as token_service


@shared_task
def forget() -> None:
    """The answers and the tokens that nobody needs any more."""
    idempotency.forget_old()
    token_service.forget_expired()
