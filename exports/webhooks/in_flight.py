"""The messages sent under one lease: several in flight while the receiver accepts them, otherwise one at a time."""

import logging
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from django.db.models import QuerySet

from exports.webhooks import attempts, leases
from exports.webhooks import retry_policy as webhook_retry_policy
from exports.webhooks.client.client import Answer, Receiver
from exports.webhooks.leases import Lease
from exports.webhooks.models import WebhookMessage

logger = logging.getLogger(__name__)

# In flight to one receiver.
AT_ONCE = 4


class Turn:
    """The threads only send; only the caller's thread uses the database."""

    def __init__(self, lease: Lease, secrets: Sequence[str]) -> None:
        self._lease = lease
        self._secrets = secrets
        self._sending: dict[Future[Answer], WebhookMessage] = {}
        # Last in, first out, so that few messages need few connections.
        self._idle: list[Receiver] = []
        self._goes_on = True
        self._paused = False
        self._last_arrived = False
        self._limited_in_a_row = 0
        self._set_aside_next = False

    def run(self) -> None:
        """Send until nothing is due, the endpoint is paused or disabled, or the time slice ends. Raises `LeaseLost`."""
        try:
            with ThreadPoolExecutor(AT_ONCE) as threads:
                self._start(threads)
                while self._sending:
                    for done in wait(self._sending, return_when=FIRST_COMPLETED).done:
                        self._enter(self._sending.pop(done), done.result())
                    self._start(threads)
        finally:
            for receiver in self._idle:
                receiver.close()

    def _start(self, threads: ThreadPoolExecutor) -> None:
        """One at a time unless the last message was accepted."""
        room = AT_ONCE if self._last_arrived else 1
        while self._goes_on and len(self._sending) < room and (message := self._next()):
            self._sending[threads.submit(self._send, message)] = message

    def _enter(self, message: WebhookMessage, answer: Answer) -> None:
        """A success ends a pause that began while it was in flight."""
        paused = not attempts.enter(self._lease, message, answer)
        self._last_arrived = answer.delivered
        self._limited_in_a_row = self._limited_in_a_row + 1 if answer.limited else 0
        if self._limited_in_a_row >= webhook_retry_policy.LIMITED_AFTER:
            attempts.rest(self._lease, answer)
            paused = True
        self._paused = not answer.delivered and (self._paused or paused)
        self._goes_on = self._lease.endpoint.enabled and not self._paused and not self._lease.is_over

    def _next(self) -> WebhookMessage | None:
        """The oldest due message, alternating between new and set aside, so that neither kind starves the other. One
        per export is in flight, which keeps the order of its messages while nothing fails."""
        in_flight = self._sending.values()
        exports = [message.export_id for message in in_flight if message.export_id]
        due = leases.due_messages().filter(endpoint=self._lease.endpoint).exclude(export__in=exports)
        due = due.exclude(pk__in=[message.pk for message in in_flight])
        kinds = [_new(due), _set_aside(due)]
        if self._set_aside_next:
            kinds.reverse()
        self._set_aside_next = not self._set_aside_next
        return kinds[0].first() or kinds[1].first()

    def _send(self, message: WebhookMessage) -> Answer:
        """Runs in a thread; never raises."""
        receiver = self._receiver()
        try:
            return receiver.post(message.webhook_id, message.payload)
        except Exception:
            # A fault of our own must not be repeated without a wait.
            logger.exception("Message %s could not be sent", message)
            return Answer(error="The message could not be sent. The worker's log has why.")
        finally:
            self._idle.append(receiver)

    def _receiver(self) -> Receiver:
        try:
            return self._idle.pop()
        except IndexError:
            return Receiver(url=self._lease.endpoint.url, secrets=self._secrets)


def _new(due: QuerySet[WebhookMessage]) -> QuerySet[WebhookMessage]:
    return due.filter(next_attempt_at=None).order_by("id")


def _set_aside(due: QuerySet[WebhookMessage]) -> QuerySet[WebhookMessage]:
    return due.filter(next_attempt_at__isnull=False).order_by("next_attempt_at", "id")
