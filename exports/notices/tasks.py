from celery import shared_task

from exports.notices import mails
from exports.notices import watch as incidents


@shared_task
def watch() -> None:
    """Open and close incidents, and send the e-mails that are due."""
    try:
        incidents.compare()
    finally:
        # What is open already is reported in any case.
        mails.send_due()
