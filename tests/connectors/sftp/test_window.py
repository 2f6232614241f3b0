from connectors.sftp.window import FAR, NEAR, Window


def test_a_server_far_away_gets_more_at_once() -> None:
    window = Window()
    window.answered_after(0.04)
    assert window.size == FAR


def test_the_quickest_answer_tells_how_far_away_a_server_is() -> None:
    window = Window()
    for seconds, size in [(0.5, FAR), (0.0003, NEAR), (0.5, NEAR)]:
        window.answered_after(seconds)
        assert window.size == size


def test_what_a_server_has_shown_to_need_is_kept_however_far_away_it_is() -> None:
    window = Window()
    window.shrink(NEAR)
    window.confirm()
    window.answered_after(0.04)
    assert window.size == NEAR // 2
    window.shrink(NEAR // 2)
    window.restore()
    assert window.size == NEAR // 2


def test_refusals_that_are_not_about_the_number_leave_it_as_wide_as_the_way_is_long() -> None:
    window = Window()
    window.answered_after(0.04)
    window.shrink(FAR)
    window.shrink(FAR)
    assert window.size == FAR // 2
    window.restore()
    assert window.size == FAR
