from datetime import UTC, datetime, timedelta

from exports.delivery.retry_policy import WAITS, next_attempt

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def test_the_waits_are_the_published_ones_with_a_tenth_of_jitter() -> None:
    for tries, wait in enumerate(WAITS, 1):
        spread = {next_attempt(tries, NOW, in_doubt=False) for _ in range(50)}
        assert len(spread) > 1
        assert all(moment and 0.9 * wait <= moment - NOW <= 1.1 * wait for moment in spread)


def test_after_the_last_wait_an_order_fails_unless_it_is_in_doubt() -> None:
    used_up = len(WAITS) + 1
    assert next_attempt(used_up, NOW, in_doubt=False) is None
    again = next_attempt(used_up, NOW, in_doubt=True)
    assert again is not None
    assert again - NOW >= timedelta(hours=10)
