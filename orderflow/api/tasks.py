from celery import shared_task

from orderflow.api import token_service


@shared_task
def forget() -> None:
    """What nobody needs any more."""
    token_service.forget_expired()
