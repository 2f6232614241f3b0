"""Logins in several steps, with prompts, and what ends them: each credential is offered once."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from connectors.exceptions import ConfigError, LoginRefusedError, TransientError
from connectors.sftp.protocol import file_operations
from connectors.sftp.session import SFTPSession
from tests.connectors.conftest import target_of
from tests.servers.sftp.asyncssh_server import AsyncSSHServer
from tests.servers.sftp.login_server import (
    ASK,
    EXPIRED,
    KEY,
    PASS,
    PASSWORD,
    LoginServer,
    Round,
    banner_then_hang_up,
    disconnect,
    hang_up,
    login_server,
    reset,
)
from tests.servers.sftp.openssh import OpenSSHServer, expired_account, generate_key
from tests.servers.sftp.proftpd import proftpd_server
from tests.servers.sftp.sftp_server import SFTPServer

Start = Callable[..., LoginServer]
Connect = Callable[..., SFTPSession]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as running:
        yield lambda **script: running.enter_context(login_server(tmp_path / "erp", **script))


BOTH: dict[str, Any] = {"password": PASSWORD}
ONLY_PASSWORD: dict[str, Any] = {"password": PASSWORD, "private_key": None}


def offered(server: LoginServer) -> list[str]:
    return [method for method, _ in server.attempts]


@pytest.mark.parametrize(
    ("script", "login", "expected"),
    [
        ({"steps": [[KEY], [PASS]]}, BOTH, [KEY, PASS]),
        ({"steps": [[PASS], [KEY]]}, BOTH, [PASS, KEY]),
        ({"steps": [[ASK], [KEY]]}, BOTH, [ASK, KEY]),
        ({"steps": [[KEY], [ASK]]}, BOTH, [KEY, ASK]),
        ({"steps": [[PASS], [KEY], [ASK]], "rounds": [Round(prompts=(), responses=())]}, BOTH, [PASS, KEY]),
        ({"steps": [[ASK]]}, ONLY_PASSWORD, [ASK]),
        ({"steps": [[ASK]], "rounds": [Round(prompts=(), responses=()), Round()]}, ONLY_PASSWORD, [ASK]),
        ({"steps": [[ASK]], "rounds": [Round(), Round(prompts=(), responses=())]}, ONLY_PASSWORD, [ASK]),
        ({"steps": [[ASK]], "rounds": [Round(prompts=[("Пароль: ", False)])]}, ONLY_PASSWORD, [ASK]),
        ({"steps": [[PASS, ASK]]}, ONLY_PASSWORD, [PASS]),
        ({"steps": [[PASS]]}, BOTH, [PASS]),
        ({"steps": [[KEY]]}, BOTH, [KEY]),
        ({"steps": [[KEY, PASS]]}, BOTH, [KEY]),
        ({"steps": [[KEY, PASS]], "accepts": [PASS]}, BOTH, [KEY, PASS]),
        ({"steps": []}, BOTH, []),
    ],
    ids=str,
)
def test_what_the_server_asks_for_is_offered_in_its_order_and_once(
    script: dict[str, Any], login: dict[str, Any], expected: list[str], start: Start, connect: Connect
) -> None:
    """F18."""
    server = start(**script)
    assert connect(server, **login).ask(file_operations.lstat("/"))
    assert offered(server) == expected


@pytest.mark.parametrize("order", ["password+publickey", "publickey+password"])
def test_proftpd_gets_both_in_its_order(order: str, tmp_path: Path, connect: Connect) -> None:
    with proftpd_server(tmp_path / "proftpd", methods=order, password=PASSWORD) as server:
        assert connect(server, password=PASSWORD).ask(file_operations.lstat("."))
        with pytest.raises(LoginRefusedError, match="by private key alone; it asks for: password"):
            connect(server)


def refused(server: SFTPServer, **login: Any) -> str:
    with pytest.raises(LoginRefusedError) as error:
        SFTPSession(target_of(server, **login))
    assert PASSWORD not in str(error.value)
    assert "then test the connection." in str(error.value)
    return str(error.value)


def test_each_of_two_credentials_is_refused_once(start: Start, tmp_path: Path) -> None:
    server = start()
    text = refused(server, password="wrong", private_key=generate_key(tmp_path / "other"))
    assert "refused the private key and the password of user 'erp'" in text
    assert (offered(server), server.refused) == ([KEY, PASS], 2)


def test_a_password_is_not_offered_where_only_the_key_is_taken(start: Start, tmp_path: Path) -> None:
    server = start(steps=[[KEY]])
    assert "refused the private key of user 'erp'" in refused(
        server, password=PASSWORD, private_key=generate_key(tmp_path / "other")
    )
    assert offered(server) == [KEY]


def test_a_password_that_was_refused_is_not_typed_at_a_prompt_as_well(start: Start) -> None:
    server = start(steps=[[PASS, ASK]])
    assert "refused the password" in refused(server, password="wrong", private_key=None)
    assert (offered(server), server.refused) == ([PASS], 1)


@pytest.mark.parametrize(
    ("script", "login", "missing"),
    [
        ({"steps": [[KEY], [PASS]]}, {}, "by private key alone; it asks for: password. Set a password"),
        ({"steps": [[PASS], [KEY]]}, ONLY_PASSWORD, "by password alone; it asks for: publickey. Set a private key"),
        ({"steps": [[ASK]]}, {}, "by private key alone; it asks for: keyboard-interactive. Set a password"),
        ({"steps": [["gssapi-with-mic"]]}, ONLY_PASSWORD, "Ask its operator to allow a password or a private key"),
        ({"steps": [[KEY], [ASK]]}, {}, 'for a password as well, with "Password:". Set the password'),
    ],
    ids=str,
)
def test_what_is_missing_is_named(script: dict[str, Any], login: dict[str, Any], missing: str, start: Start) -> None:
    server = start(**script)
    assert missing in refused(server, **login)
    assert server.refused == 0


CODE = Round(prompts=[("Verification code: ", False)], responses=["123456"])


@pytest.mark.parametrize(
    ("script", "login"),
    [
        ({"steps": [[ASK]], "rounds": [Round(), CODE]}, ONLY_PASSWORD),
        ({"steps": [[ASK]], "rounds": [CODE]}, ONLY_PASSWORD),
        ({"steps": [[KEY], [ASK]], "rounds": [CODE]}, BOTH),
        ({"steps": [[KEY], [ASK]], "rounds": [CODE]}, {}),
        (
            {"steps": [[ASK]], "rounds": [Round(prompts=[("Password: ", False), ("Verification code: ", True)])]},
            ONLY_PASSWORD,
        ),
    ],
    ids=str,
)
def test_a_one_time_code_is_named_with_its_prompt(script: dict[str, Any], login: dict[str, Any], start: Start) -> None:
    server = start(**script)
    text = refused(server, **login)
    assert "asks user 'erp' for a one-time code" in text
    assert "Verification code:" in text
    assert "use an account that logs in by password or private key alone" in text
    assert server.refused == 0


def test_a_hostile_prompt_is_tamed_and_cut_short(start: Start) -> None:
    """S16."""
    prompt = "Token\x1b[31m\r\nLog: forged " + "x" * 5000
    server = start(steps=[[ASK]], rounds=[Round(prompts=[(prompt, True)] * 19)])
    text = refused(server, **ONLY_PASSWORD)
    assert "\x1b" not in text
    assert "\n" not in text
    assert len(text) < 500


def test_a_prompt_for_something_unknown_is_shown(start: Start) -> None:
    server = start(steps=[[ASK]], rounds=[Round(prompts=[("Favourite colour? ", True)])])
    assert 'for more than a password, with "Favourite colour?"' in refused(server, **ONLY_PASSWORD)
    assert server.refused == 0


def test_a_password_that_has_expired_is_offered_once_and_named(start_asyncssh: Callable[..., AsyncSSHServer]) -> None:
    server = start_asyncssh(expired="Change it, please")
    text = refused(server, **ONLY_PASSWORD)
    assert "the password of 'erp' has expired (the server says: Change it, please)" in text
    assert server.attempts == [("user", "erp"), ("password", PASSWORD)]


@pytest.mark.parametrize("says_to", [["subsystem", "exec"], ["exec"]], ids=str)
@pytest.mark.parametrize("reached", [False, True])
def test_a_server_that_lets_in_and_says_that_the_password_has_expired_starts_no_sftp(
    reached: bool, says_to: list[str], start: Start
) -> None:
    """B06: OpenSSH says so to a command only; other servers also where SFTP should begin."""
    server = start(says=EXPIRED, says_to=says_to)
    text = refused(server, **ONLY_PASSWORD, reached=reached)
    assert "the password of 'erp' has expired (the server says: WARNING: Your password has expired. Password" in text
    assert "Have it changed on the server, enter the new one, then test the connection." in text
    assert server.attempts == [(PASS, PASSWORD)]


def test_a_password_that_has_expired_keeps_a_key_out_too(start: Start) -> None:
    server = start(says=EXPIRED)
    text = refused(server)
    assert "the password of 'erp' has expired" in text
    assert "Have it changed on the server, then test the connection." in text
    assert offered(server) == [KEY]


@pytest.mark.parametrize(
    "words",
    [
        "You are required to change your password immediately (administrator enforced).",
        "Sie müssen Ihr Passwort sofort ändern (Passwortablauf).",
        "Ihr Kennwort ist abgelaufen.",
    ],
)
def test_other_words_for_an_expired_password(words: str, start: Start) -> None:
    assert f"has expired (the server says: {words[:60]}" in refused(start(says=words), **ONLY_PASSWORD)


@pytest.mark.parametrize(("reached", "kind"), [(False, ConfigError), (True, TransientError)])
def test_another_reason_for_no_sftp_is_shown(reached: bool, kind: type[Exception], start: Start) -> None:
    server = start(
        says="This account is currently not available. Your password will expire in 3 days.", says_to=["exec"]
    )
    with pytest.raises(
        kind, match=r"starts no SFTP \(the server says: This account is currently not available"
    ) as error:
        SFTPSession(target_of(server, **ONLY_PASSWORD, reached=reached))
    assert not isinstance(error.value, LoginRefusedError)


def test_a_greeting_is_a_verdict_of_a_server_that_never_started_sftp(start: Start) -> None:
    server = start(greeting=EXPIRED, says="No.")
    assert "has expired (the server says: WARNING: Your password" in refused(server, **ONLY_PASSWORD)


@pytest.mark.parametrize("script", [{"says": "Maintenance until 6."}, {"is_full": True}], ids=["no SFTP", "full"])
def test_a_greeting_is_no_verdict_of_a_server_that_started_sftp_before(script: dict[str, Any], start: Start) -> None:
    server = start(greeting="The password has expired: call 123.", **script)
    with pytest.raises(TransientError):
        SFTPSession(target_of(server, **ONLY_PASSWORD, reached=True))


def test_a_server_that_opens_no_channel_says_nothing_about_the_password(start: Start) -> None:
    server = start(greeting="The password has expired: call 123.", is_full=True)
    with pytest.raises(TransientError, match="opens no further session"):
        SFTPSession(target_of(server, **ONLY_PASSWORD))


@pytest.mark.parametrize(
    "words", ["Closed for maintenance. Passwords must be changed every 90 days.", "Your password has not expired."]
)
def test_a_policy_in_place_of_sftp_does_not_block(words: str, start: Start) -> None:
    server = start(says=words)
    with pytest.raises(TransientError, match="starts no SFTP"):
        SFTPSession(target_of(server, **ONLY_PASSWORD, reached=True))


@pytest.mark.parametrize("way", ["password", "publickey"])
def test_openssh_says_that_the_password_has_expired(way: str) -> None:
    """B06: a real account whose password has to be changed, by `chage -d 0`."""
    with expired_account(password=PASSWORD) as server:
        text = refused(server, **(ONLY_PASSWORD if way == "password" else {}))
        assert "the password of 'erp' has expired (the server says: " in text
        assert server.log().count(f"Accepted {way} for erp") == 1


@pytest.mark.parametrize(
    "change",
    [
        Round(prompts=[("New password: ", False)], instructions="Your password has expired."),
        Round(prompts=[("New password: ", False), ("Retype new password: ", False)]),
        Round(prompts=[("Current password: ", False)], instructions="You are required to change your password."),
    ],
    ids=str,
)
def test_prompts_for_a_new_password_mean_that_it_has_expired(change: Round, start: Start) -> None:
    server = start(steps=[[ASK]], rounds=[Round(), change])
    assert "the password of 'erp' has expired" in refused(server, **ONLY_PASSWORD)
    assert server.attempts == [(ASK, PASSWORD)]


def test_the_same_prompt_again_is_a_refusal(start: Start) -> None:
    """As PAM asks three times."""
    server = start(steps=[[ASK]], rounds=[Round(), Round(instructions="Permission denied, please try again.")])
    assert "refused the password of user 'erp' (the server says: Permission denied" in refused(server, **ONLY_PASSWORD)
    assert server.attempts == [(ASK, PASSWORD)]


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (hang_up, "refused the password of user 'erp' and closed the connection. Check username and password"),
        (reset, "refused the password of user 'erp' and closed the connection. Check username and password"),
        (disconnect(2, "Account locked"), "and closed the connection (the server says: Account locked)"),
        (banner_then_hang_up("Your account has expired"), "(the server says: Your account has expired)"),
    ],
    ids=["hangs up", "resets", "disconnects", "banner"],
)
def test_a_connection_that_ends_right_after_the_password_is_a_refusal(end: Any, words: str, start: Start) -> None:
    server = start(on_password=end)
    assert words in refused(server, **ONLY_PASSWORD)
    assert len(server.attempts) == 1


def test_a_reset_by_a_server_that_has_let_us_in_before_is_the_networks(start: Start) -> None:
    server = start(on_password=reset)
    with pytest.raises(TransientError, match="closed the connection during the log-in"):
        SFTPSession(target_of(server, **ONLY_PASSWORD, reached=True))


def test_a_server_that_is_too_busy_after_the_password_refuses_nobody(start: Start) -> None:
    server = start(on_password=disconnect(12, "Too many connections"))
    with pytest.raises(TransientError, match=r"the server says: Too many connections\)\. Try again"):
        SFTPSession(target_of(server, **ONLY_PASSWORD))


@pytest.mark.parametrize("end", [hang_up, reset, disconnect(2, "Not now")], ids=["hangs up", "resets", "disconnects"])
def test_a_connection_that_ends_before_anything_was_offered_may_work_later(end: Any, start: Start) -> None:
    server = start(on_connect=end)
    with pytest.raises(TransientError, match="closed the connection during the log-in of user 'erp'"):
        SFTPSession(target_of(server, **ONLY_PASSWORD))
    assert server.attempts == []


def test_words_that_are_no_utf_8_are_shown_as_far_as_they_are(start: Start) -> None:
    """S16: Paramiko's own parser stops there."""
    server = start(on_password=disconnect(2, b"Kennwort \xfcberholt"))
    assert "Kennwort" in refused(server, **ONLY_PASSWORD)


def test_a_banner_for_everybody_is_no_reason(start_openssh: Callable[..., OpenSSHServer], tmp_path: Path) -> None:
    (tmp_path / "banner").write_text("Authorised use only\n")
    server = start_openssh(extra=f"Banner {tmp_path / 'banner'}")
    text = refused(server, private_key=generate_key(tmp_path / "other"))
    assert "refused the private key" in text
    assert "Authorised" not in text


def test_a_wrong_password_needs_no_second_look(start: Start) -> None:
    with pytest.raises(ConfigError, match="refused the password of user 'erp'") as error:
        SFTPSession(target_of(start(), private_key=None, password="wrong"))
    assert error.value.field == "password"


def test_the_credential_that_was_accepted_after_another_comes_first_the_next_time(
    start: Start, connect: Connect
) -> None:
    """F18: servers count what they refuse."""
    server, learned = start(accepts=[PASS]), list[str]()
    assert connect(server, **BOTH, on_login=learned.append).ask(file_operations.lstat("/"))
    assert (learned, offered(server), server.refused) == ([PASS], [KEY, PASS], 1)
    assert connect(server, **BOTH, on_login=learned.append, login_first=PASS).ask(file_operations.lstat("/"))
    assert (learned, offered(server), server.refused) == ([PASS], [KEY, PASS, PASS], 1)
    server.accepts = [KEY]
    assert connect(server, **BOTH, on_login=learned.append, login_first=PASS).ask(file_operations.lstat("/"))
    assert (learned, server.refused) == ([PASS, "private_key"], 2)


def test_a_password_at_a_prompt_comes_before_the_key_where_it_was_accepted(start: Start, connect: Connect) -> None:
    server = start(steps=[[KEY, ASK]], accepts=[ASK])
    assert connect(server, **BOTH, login_first=PASS).ask(file_operations.lstat("/"))
    assert (offered(server), server.refused) == ([ASK], 0)


def test_prompts_that_stay_unanswered_do_not_keep_the_key_from_being_offered(start: Start, connect: Connect) -> None:
    """F18: the key was rejected once, so the password comes first; since then it was installed and the server takes no
    password any more."""
    server, learned = start(steps=[[KEY, ASK]], accepts=[KEY], rounds=[CODE]), list[str]()
    assert connect(server, **BOTH, on_login=learned.append, login_first=PASS).ask(file_operations.lstat("/"))
    assert (offered(server), server.refused) == ([KEY], 0)


def test_a_key_that_is_rejected_in_place_of_prompts_is_named(start: Start, tmp_path: Path) -> None:
    server = start(steps=[[KEY, ASK]], rounds=[CODE])
    other = generate_key(tmp_path / "other")
    assert "refused the private key of user 'erp'" in refused(server, **BOTH, private_key=other, login_first=PASS)
    assert (offered(server), server.refused) == ([KEY], 1)


def test_prompts_that_follow_the_key_are_answered_or_named(start: Start, connect: Connect) -> None:
    server = start(steps=[[KEY, ASK], [ASK]], rounds=[CODE])
    assert "asks user 'erp' for a one-time code" in refused(server, **BOTH, login_first=PASS)
    assert (offered(server), server.refused) == ([KEY], 0)


def test_no_key_is_offered_behind_a_password_at_a_prompt(start: Start) -> None:
    server = start(steps=[[KEY, ASK]], rounds=[Round(), CODE])
    assert "asks user 'erp' for a one-time code" in refused(server, **BOTH, login_first=PASS)
    assert offered(server) == [ASK]


def test_where_nothing_was_refused_nothing_is_remembered(start: Start, connect: Connect) -> None:
    server, learned = start(steps=[[PASS], [KEY]]), list[str]()
    assert connect(server, **BOTH, on_login=learned.append).ask(file_operations.lstat("/"))
    assert learned == []
