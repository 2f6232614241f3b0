from connectors.sftp.protocol.flow_control import FAR_BYTES, NEAR_BYTES, WIDEST, Window


def test_the_quickest_answer_tells_how_far_away_a_server_is() -> None:
    window = Window()
    for seconds, size in [(0.5, FAR_BYTES), (0.04, FAR_BYTES), (0.0003, NEAR_BYTES), (0.5, NEAR_BYTES)]:
        window.answered_after(seconds)
        assert window.bytes == size


def test_what_a_server_has_shown_to_need_is_kept() -> None:
    window = Window()
    window.shrink(WIDEST)
    window.confirm()
    window.answered_after(0.04)
    assert window.size == WIDEST // 2
    window.shrink(WIDEST // 2)
    window.restore()
    assert window.size == WIDEST // 2


def test_refusals_that_are_not_about_the_number_leave_it_as_it_was() -> None:
    window = Window()
    window.shrink(WIDEST)
    window.shrink(WIDEST)
    assert window.size == WIDEST // 2
    window.restore()
    assert window.size == WIDEST


def test_a_server_that_refuses_the_only_handle_is_still_asked() -> None:
    window = Window()
    for _ in range(20):
        window.shrink(window.size)
    assert window.size == 1


def test_the_refusals_of_one_round_halve_the_window_once() -> None:
    """They were all asked for under the size of before."""
    window = Window()
    for _ in range(20):
        window.shrink(WIDEST)
    assert window.size == WIDEST // 2
