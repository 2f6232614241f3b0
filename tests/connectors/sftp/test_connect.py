"""Logging in, and whom: real servers, pinned keys."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from connectors.exceptions import ConfigError, TransientError, UnknownHostKeyError
from connectors.sftp.protocol import file_operations
from connectors.sftp.session import SFTPSession
from connectors.types.test_results import Steps
from tests.connectors.conftest import target_of
from tests.servers.faulty.faults import WEAK_ONLY
from tests.servers.sftp.asyncssh_server import AsyncSSHServer
from tests.servers.sftp.openssh import OpenSSHServer, generate_key

Start = Callable[..., AsyncSSHServer]
Connect = Callable[..., SFTPSession]

KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa")
BY_PASSWORD: dict[str, Any] = {"private_key": None, "password": "correct horse"}


def test_a_key_logs_in(shared_openssh: OpenSSHServer, connect: Connect) -> None:
    assert connect(shared_openssh).ask(file_operations.lstat("."))


def test_a_password_logs_in(start_asyncssh: Start, connect: Connect) -> None:
    server = start_asyncssh()
    assert connect(server, **BY_PASSWORD).ask(file_operations.lstat("/"))
    assert server.attempts == [("user", "erp"), ("password", "correct horse")]


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_an_encrypted_key_of_every_kind_logs_in(
    kind: str, tmp_path: Path, start_asyncssh: Start, connect: Connect
) -> None:
    text = generate_key(tmp_path / "key", kind=kind, passphrase="open sesame")
    server = start_asyncssh(user_key=asyncssh.import_private_key(text, "open sesame"))
    assert connect(server, private_key=text, passphrase="open sesame").ask(file_operations.lstat("/"))


def test_a_wrong_password_needs_a_person_and_is_offered_once(start_asyncssh: Start) -> None:
    """F18."""
    server = start_asyncssh()
    with pytest.raises(ConfigError, match="refused the password of user 'erp'") as error:
        SFTPSession(target_of(server, private_key=None, password="battery staple"))
    assert error.value.field == "password"
    assert "battery" not in str(error.value)
    assert server.attempts == [("user", "erp"), ("password", "battery staple")]


def test_a_server_that_hangs_up_on_a_refused_key_is_not_asked_again(
    tmp_path: Path, start_openssh: Callable[..., OpenSSHServer]
) -> None:
    """F18: some servers close the connection instead of saying no."""
    server = start_openssh(extra="MaxAuthTries 1")
    with pytest.raises(ConfigError, match="refused the private key"):
        SFTPSession(target_of(server, private_key=generate_key(tmp_path / "key")))


def test_an_unknown_key_needs_a_person_and_no_other_is_offered(
    tmp_path: Path, start_asyncssh: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S6: neither the operator's agent nor the operator's files."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    generate_key(home / ".ssh" / "id_ed25519")
    server = start_asyncssh()
    with pytest.raises(ConfigError, match="refused the private key") as error:
        SFTPSession(target_of(server, private_key=generate_key(tmp_path / "key")))
    assert error.value.field == "private_key"
    assert [kind for kind, _ in server.attempts] == ["user", "key"]


def test_a_password_where_only_keys_are_taken_names_what_is(shared_openssh: OpenSSHServer) -> None:
    with pytest.raises(ConfigError, match="publickey") as error:
        SFTPSession(target_of(shared_openssh, **BY_PASSWORD))
    assert error.value.field == "password"


def test_nothing_to_log_in_with_is_told_before_anything_is_opened() -> None:
    server = AsyncSSHServer(host="127.0.0.1", port=1, root=Path(), private_key="", host_key="")
    with pytest.raises(ConfigError, match="password or a private key"):
        SFTPSession(target_of(server, private_key=None))


def test_a_changed_host_key_is_refused_before_authentication(start_asyncssh: Start) -> None:
    """F19, S5."""
    server = start_asyncssh()
    other = asyncssh.generate_private_key("ssh-ed25519")
    pinned = " ".join(other.export_public_key().decode().split()[:2])
    with pytest.raises(UnknownHostKeyError) as error:
        SFTPSession(target_of(server, host_key=pinned))
    assert error.value.host_key == server.host_key
    assert error.value.fingerprint in str(error.value)
    assert other.get_fingerprint() in str(error.value)
    assert server.attempts == []


def test_a_host_key_of_another_type_is_refused_with_both_fingerprints(start_asyncssh: Start) -> None:
    """F19: the server gave its old type up."""
    server = start_asyncssh(host_key=asyncssh.generate_private_key("ecdsa-sha2-nistp256"))
    other = asyncssh.generate_private_key("ssh-ed25519")
    pinned = " ".join(other.export_public_key().decode().split()[:2])
    with pytest.raises(UnknownHostKeyError, match="instead of the pinned") as error:
        SFTPSession(target_of(server, host_key=pinned))
    assert error.value.host_key == server.host_key
    assert error.value.fingerprint in str(error.value)
    assert other.get_fingerprint() in str(error.value)
    assert server.attempts == []


def test_a_host_key_that_nobody_accepted_yet_is_shown(start_asyncssh: Start) -> None:
    """S5."""
    server = start_asyncssh()
    with pytest.raises(UnknownHostKeyError, match="none is pinned yet") as error:
        SFTPSession(target_of(server, host_key=""))
    assert error.value.host_key == server.host_key
    assert error.value.field == "host_key"
    assert server.attempts == []


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"])
def test_the_pinned_keys_type_is_the_one_negotiated(kind: str, start_asyncssh: Start, connect: Connect) -> None:
    """A server with several keys shows the one that is pinned."""
    keys = {each: asyncssh.generate_private_key(each) for each in ("ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa")}
    server = start_asyncssh(host_key=keys[kind], further_host_keys=[k for name, k in keys.items() if name != kind])
    assert connect(server).ask(file_operations.lstat("/"))


def _public(key: asyncssh.SSHKey) -> str:
    return " ".join(key.export_public_key().decode().split()[:2])


def _steps(server: AsyncSSHServer, **changes: Any) -> dict[str, str]:
    """What a test says of each step."""
    steps = Steps()
    SFTPSession(target_of(server, **changes), steps=steps).close()
    return {step.name: step.detail for step in steps.ended}


def test_during_a_change_of_keys_the_old_and_the_new_one_are_accepted(start_asyncssh: Start) -> None:
    old, new, other = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(3))
    pinned = f"{_public(old)}\n{_public(new)}"
    for shown in (old, new):
        server = start_asyncssh(host_key=shown)
        assert _steps(server, host_key=pinned)["host key"] == f"{shown.get_fingerprint()}, one of 2 accepted keys"
    server = start_asyncssh(host_key=other)
    with pytest.raises(UnknownHostKeyError) as error:
        SFTPSession(target_of(server, host_key=pinned))
    assert all(key.get_fingerprint() in str(error.value) for key in (old, new, other))
    assert server.attempts == []


def test_of_pinned_keys_of_several_types_any_is_enough(start_asyncssh: Start) -> None:
    ed25519, ecdsa, rsa = (asyncssh.generate_private_key(f"{kind}") for kind in KINDS)
    pinned = f"{_public(ecdsa)}\n{_public(rsa)}"
    server = start_asyncssh(host_key=ed25519, further_host_keys=[rsa])
    assert rsa.get_fingerprint() in _steps(server, host_key=pinned)["host key"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_pinned_fingerprint_with_its_type_finds_its_key(kind: str, start_asyncssh: Start) -> None:
    """A server with several keys shows the one whose fingerprint its operator published."""
    keys = {each: asyncssh.generate_private_key(each) for each in KINDS}
    server = start_asyncssh(host_key=keys[kind], further_host_keys=[k for name, k in keys.items() if name != kind])
    pinned = f"{kind} {keys[kind].get_fingerprint()}"
    assert _steps(server, host_key=pinned)["host key"] == keys[kind].get_fingerprint()


def test_a_pinned_fingerprint_is_compared_before_authentication(start_asyncssh: Start) -> None:
    server = start_asyncssh()
    pinned = asyncssh.import_public_key(server.host_key).get_fingerprint()
    assert _steps(server, host_key=pinned)["host key"] == pinned
    attempts = len(server.attempts)
    other = asyncssh.generate_private_key("ssh-ed25519").get_fingerprint()
    with pytest.raises(UnknownHostKeyError, match="put the type before it") as error:
        SFTPSession(target_of(server, host_key=other))
    assert other in str(error.value)
    assert error.value.host_key == server.host_key
    assert len(server.attempts) == attempts


def test_a_short_host_key_is_not_offered_for_acceptance(start_asyncssh: Start) -> None:
    server = start_asyncssh(host_key=asyncssh.generate_private_key("ssh-rsa", key_size=1024))
    with pytest.raises(ConfigError, match="RSA with 1024 bits") as error:
        SFTPSession(target_of(server, host_key=""))
    assert not isinstance(error.value, UnknownHostKeyError)
    assert error.value.field == "host_key"
    assert server.attempts == []


@pytest.mark.parametrize("form", ["{}", "ssh-rsa {}"])
def test_a_short_host_key_is_refused_by_its_fingerprint_too(form: str, start_asyncssh: Start) -> None:
    """Nobody could see its length when the fingerprint was entered."""
    key = asyncssh.generate_private_key("ssh-rsa", key_size=1024)
    server = start_asyncssh(host_key=key)
    with pytest.raises(ConfigError, match=r"RSA with 1024 bits.* Nothing was sent") as error:
        SFTPSession(target_of(server, host_key=form.format(key.get_fingerprint())))
    assert not isinstance(error.value, UnknownHostKeyError)
    assert server.attempts == []


def test_short_keys_that_are_stored_work_and_a_test_names_them(start_asyncssh: Start) -> None:
    user = asyncssh.generate_private_key("ssh-rsa", key_size=1024)
    server = start_asyncssh(host_key=asyncssh.generate_private_key("ssh-rsa", key_size=1024), user_key=user)
    said = _steps(server, private_key=user.export_private_key().decode())
    assert "RSA with 1024 bits" in said["host key"]
    assert "only 1024 bits" in said["log in"]


@pytest.mark.parametrize("host_key", ["ssh-ed25519", "ssh-ed25519 not-base64!", "x"])
def test_a_host_key_that_cannot_be_read_is_named(host_key: str, shared_asyncssh: AsyncSSHServer) -> None:
    with pytest.raises(ConfigError) as error:
        SFTPSession(target_of(shared_asyncssh, host_key=host_key))
    assert error.value.field == "host_key"


def test_a_server_with_weak_encryption_only_is_refused(start_asyncssh: Start) -> None:
    """S17."""
    server = start_asyncssh(**WEAK_ONLY)
    with pytest.raises(ConfigError, match="weak") as error:
        SFTPSession(target_of(server))
    assert error.value.field == "host"
    assert server.attempts == []


def test_the_fast_cipher_is_used_where_it_can_be(shared_openssh: OpenSSHServer, connect: Connect) -> None:
    session = connect(shared_openssh)
    assert session._link.transport.local_cipher == "aes128-gcm@openssh.com"


def test_an_address_that_is_not_allowed_is_not_connected_to(shared_asyncssh: AsyncSSHServer) -> None:
    """S7."""
    attempts = list(shared_asyncssh.attempts)
    with pytest.raises(ConfigError, match="may not be connected to"):
        SFTPSession(target_of(shared_asyncssh, allowed_networks=None))
    assert shared_asyncssh.attempts == attempts


def test_a_port_where_nothing_listens_is_told(shared_asyncssh: AsyncSSHServer) -> None:
    with pytest.raises(TransientError, match="nothing listens"):
        SFTPSession(target_of(shared_asyncssh, port=1))


def test_a_user_without_sftp_needs_a_person(start_openssh: Callable[..., OpenSSHServer]) -> None:
    server = start_openssh(extra="ForceCommand /bin/false")
    with pytest.raises(ConfigError, match="starts no SFTP"):
        SFTPSession(target_of(server))


def test_a_log_in_script_that_prints_needs_a_person(start_openssh: Callable[..., OpenSSHServer]) -> None:
    server = start_openssh(extra="ForceCommand echo Welcome to the server of Acme; exec cat >/dev/null")
    with pytest.raises(ConfigError, match="log-in script"):
        SFTPSession(target_of(server))


def test_every_step_is_recorded(shared_openssh: OpenSSHServer) -> None:
    steps = Steps()
    SFTPSession(target_of(shared_openssh), steps=steps).close()
    assert [step.name for step in steps.ended] == ["resolve", "connect", "host key", "log in", "start SFTP"]
    assert all(step.success for step in steps.ended)
    assert "OpenSSH" in steps.ended[1].detail
    assert steps.ended[2].detail.startswith("SHA256:")


def test_the_step_that_failed_is_the_last(start_asyncssh: Start) -> None:
    steps = Steps()
    with pytest.raises(ConfigError):
        SFTPSession(target_of(start_asyncssh(), private_key=None, password="wrong"), steps=steps)
    assert [(step.name, step.success) for step in steps.ended][-1] == ("log in", False)
    assert "password" in steps.ended[-1].detail


def test_a_target_never_shows_its_secrets(shared_openssh: OpenSSHServer) -> None:
    """S4."""
    shown = repr(target_of(shared_openssh, password="canary-1", passphrase="canary-2"))
    assert "canary" not in shown
    assert "PRIVATE KEY" not in shown


def test_the_fingerprint_is_what_ssh_keygen_shows(start_asyncssh: Start) -> None:
    server = start_asyncssh()
    key = asyncssh.import_public_key(server.host_key)
    with pytest.raises(UnknownHostKeyError) as error:
        SFTPSession(target_of(server, host_key=""))
    assert error.value.fingerprint == key.get_fingerprint()
    assert base64.b64decode(error.value.host_key.split()[1]) == key.public_data
