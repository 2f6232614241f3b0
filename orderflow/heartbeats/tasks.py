from celery import shared_task

from orderflow.heartbeats import recorder


@shared_task
def answer_ping(hostname: str) -> None:
    """Sent by `check_worker` to the queue of one worker."""
    recorder.pinged(hostname)
