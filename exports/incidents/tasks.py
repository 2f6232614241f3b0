from celery import shared_task

from exports.incidents import detector, mailer


@shared_task(name="exports.notices.tasks.watch")
def watch() -> None:
    """Open and close incidents, and send the e-mails that are due."""
    try:
        detector.compare()
    finally:
        # What is open already is reported in any case.
        mailer.send_due()
