"""Servers of every kind that people have reported: the order is SENT, or one reason names the cause and what to do.

Whatever the outcome, a server refuses one login at most, though a delivery, its repetition, a poll and tidying ask.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from django.utils import timezone

from connectors.exceptions import ConnectorError
from connectors.models import ERPConnection
from connectors.sftp.pool import sessions
from exports import ack_poller, push_service
from exports.delivery import cleanup, drain
from exports.models import ERPExport
from exports.push_service import PushRequest
from orderflow.tenancy.models import Organization
from tests.conftest import MakeOrder
from tests.exports.conftest import connect_to, names
from tests.servers.faulty.faults import BARE_FAILURE, DENIED, WEAK_ONLY, DeniedStat, Fails, NoSecondNames
from tests.servers.faulty.server import Fault, faulty_server
from tests.servers.ports import free_port
from tests.servers.raw import raw_server, say_nothing, speak_http
from tests.servers.sftp.asyncssh_server import asyncssh_server
from tests.servers.sftp.login_server import ASK, EXPIRED, KEY, PASS, PASSWORD, Round, disconnect, hang_up, login_server
from tests.servers.sftp.openssh import openssh_server
from tests.servers.sftp.proftpd import proftpd_server
from tests.servers.sftp.rclone import rclone_server
from tests.servers.sftp.sftp_server import SFTPServer
from tests.servers.sftp.ssh2_server import ssh2_server

SENT, BLOCKED, RETRIED = "SENT", "blocked", "attempted again"
OPTION = r'Or turn "Write, then rename" off; orders may then arrive half written or twice\.'
TEST_AGAIN = r"then test the connection\."

Start = Callable[[Path], AbstractContextManager[Any]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """`login` replaces what logs in, `config` the rest; `reason` is a pattern, from the cause to the next step.
    `refused` is how many logins the server refuses."""

    server: Start
    ends: str = SENT
    reason: str = ""
    refused: int = 0
    login: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)


def openssh(extra: str = "", **how: Any) -> Start:
    return partial(openssh_server, extra=extra, **how)


def without(*requests: str) -> Start:
    """A real sshd that denies these requests."""
    return openssh(f"ForceCommand internal-sftp -d {{root}} -P {','.join(requests)}")


def proftpd(extra: str = "", **how: Any) -> Start:
    return partial(proftpd_server, extra=extra, **how)


def paramiko(**script: Any) -> Start:
    return partial(login_server, **script)


def faulty(*faults: Fault) -> Start:
    return lambda folder: faulty_server(folder, list(faults))


def weak(folder: Path) -> AbstractContextManager[SFTPServer]:
    options: dict[str, Any] = dict(WEAK_ONLY)
    return asyncssh_server(folder, **options)


def raw(talk: Callable[[Any], Any]) -> Start:
    @contextmanager
    def start(folder: Path) -> Iterator[SFTPServer]:
        with raw_server(talk) as port:
            yield _nobody(folder, port)

    return start


@contextmanager
def closed_port(folder: Path) -> Iterator[SFTPServer]:
    yield _nobody(folder, free_port())


def _nobody(folder: Path, port: int) -> SFTPServer:
    key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    host_key = " ".join(key.split()[:2])
    return SFTPServer(host="127.0.0.1", port=port, root=folder, host_key=host_key, username="erp", password=PASSWORD)


WITH_PASSWORD: dict[str, Any] = {"password": PASSWORD, "private_key": ""}
WITH_BOTH: dict[str, Any] = {"password": PASSWORD}
WRONG = {"password": "battery staple", "private_key": ""}
CODE = Round(prompts=[("Verification code: ", False)], responses=["123456"])
DIRECT = {"atomic_write": False}
FSYNC, RENAME = frozenset({"fsync"}), frozenset({"rename"})

CASES: dict[str, Case] = {
    "openssh": Case(server=openssh()),
    "openssh, one login allowed": Case(server=openssh("MaxAuthTries 1")),
    "openssh, the user is not allowed": Case(
        server=openssh("AllowUsers nobody-of-this-name"),
        ends=BLOCKED,
        reason=rf"refused the private key of user .* {TEST_AGAIN}",
        refused=1,
    ),
    "openssh, no shell and no sftp": Case(
        server=openssh("ForceCommand /bin/false"), ends=BLOCKED, reason=r"starts no SFTP\. Ask its operator"
    ),
    "openssh, a login script prints": Case(
        server=openssh("ForceCommand echo Welcome to the server of Acme; exec cat >/dev/null"),
        ends=BLOCKED,
        reason=r"sends text where SFTP should begin\. A log-in script .* has to go",
    ),
    "openssh, no session left": Case(
        server=openssh("MaxSessions 0"), ends=RETRIED, reason=r"opens no further session .* Trying again may help"
    ),
    "openssh, read only": Case(
        server=openssh("ForceCommand internal-sftp -R -d {root}"),
        ends=BLOCKED,
        reason=rf"Cannot write .*permission denied.* Give the user the right to it on the server, {TEST_AGAIN}",
    ),
    "openssh, plain rename denied": Case(server=without("rename")),
    "openssh, both renames denied": Case(
        server=without("rename", "posix-rename"),
        ends=BLOCKED,
        reason=rf"Cannot rename .*permission denied.* {TEST_AGAIN} {OPTION}",
    ),
    "openssh, both renames denied, written directly": Case(server=without("rename", "posix-rename"), config=DIRECT),
    "openssh, fsync denied": Case(server=without("fsync")),
    "openssh, lstat denied": Case(server=without("lstat")),
    "openssh, fstat denied": Case(server=without("fstat")),
    "openssh, no look at sizes": Case(
        server=without("fstat", "lstat"), ends=BLOCKED, reason=rf"Cannot check the size of .* {TEST_AGAIN}"
    ),
    "openssh, remove denied": Case(server=without("remove")),
    "openssh, another host key": Case(
        server=openssh(),
        config={"host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5Tp1kWkqFqjLkXb2vMfm9wCxk4bRkW7Z3gq3nq0T0a"},
        ends=BLOCKED,
        reason=r"shows the host key SHA256:.* Ask the server's operator whether the key was changed",
    ),
    "openssh, no such folder": Case(
        server=openssh(),
        config={"export_path": "nowhere"},
        ends=BLOCKED,
        reason=rf"no such file or folder.* Create the folder or correct the path, {TEST_AGAIN}",
    ),
    "proftpd": Case(server=proftpd()),
    "proftpd, password then key": Case(
        server=proftpd(methods="password+publickey", password=PASSWORD), login=WITH_BOTH
    ),
    "proftpd, key then password": Case(
        server=proftpd(methods="publickey+password", password=PASSWORD), login=WITH_BOTH
    ),
    "proftpd, password only": Case(server=proftpd(methods="password", password=PASSWORD), login=WITH_BOTH),
    "proftpd, one login allowed": Case(
        server=proftpd("MaxLoginAttempts 1", methods="password", password=PASSWORD), login=WITH_PASSWORD
    ),
    "proftpd, wrong password": Case(
        server=proftpd(methods="password", password=PASSWORD),
        login=WRONG,
        ends=BLOCKED,
        reason=rf"refused the password of user 'erp'.* Check username and password, {TEST_AGAIN}",
        refused=1,
    ),
    "proftpd, the key is not enough": Case(
        server=proftpd(methods="publickey+password", password=PASSWORD),
        ends=BLOCKED,
        reason=rf"by private key alone; it asks for: password\. Set a password, {TEST_AGAIN}",
    ),
    "proftpd, certain names only": Case(
        server=proftpd(r'PathAllowFilter "\.json$"'), config={"temp_name": "tmp_{name}"}
    ),
    "proftpd, temporary names denied": Case(
        server=proftpd(r'PathDenyFilter "\.tmp$"'),
        ends=BLOCKED,
        reason=rf"Cannot write .*\.tmp: permission denied.* {TEST_AGAIN}",
    ),
    "rclone": Case(server=rclone_server),
    "rclone, read only": Case(
        server=partial(rclone_server, options=("--read-only",)),
        ends=RETRIED,
        reason=r"Cannot write .*Read only file system\)\. Its disk may be full or read-only",
    ),
    "ssh2": Case(server=ssh2_server),
    "ssh2, everything at once": Case(server=partial(ssh2_server, delay_ms=10)),
    "asyncssh, password": Case(server=asyncssh_server, login=WITH_PASSWORD),
    "asyncssh, expired password": Case(
        server=partial(asyncssh_server, expired="Change it"),
        login=WITH_PASSWORD,
        ends=BLOCKED,
        reason=rf"the password of 'erp' has expired \(the server says: Change it\)\. Have it changed .* {TEST_AGAIN}",
        refused=1,
    ),
    "paramiko, expired password, and lets in": Case(
        server=paramiko(says=EXPIRED, says_to=["exec"]),
        login=WITH_PASSWORD,
        ends=BLOCKED,
        reason=rf"the password of 'erp' has expired \(the server says: WARNING: Your .*Have it changed .* {TEST_AGAIN}",
    ),
    "asyncssh, weak encryption": Case(
        server=weak,
        ends=BLOCKED,
        reason=r"offers only weak or unknown encryption.* Its operator has to bring it up to date",
    ),
    "paramiko, key then password": Case(server=paramiko(steps=[[KEY], [PASS]]), login=WITH_BOTH),
    "paramiko, password then key": Case(server=paramiko(steps=[[PASS], [KEY]]), login=WITH_BOTH),
    "paramiko, prompts then key": Case(server=paramiko(steps=[[ASK], [KEY]]), login=WITH_BOTH),
    "paramiko, prompts only": Case(server=paramiko(steps=[[ASK]]), login=WITH_PASSWORD),
    "paramiko, prompts without a question": Case(
        server=paramiko(steps=[[ASK]], rounds=[Round(), Round(prompts=(), responses=())]), login=WITH_PASSWORD
    ),
    "paramiko, the password only": Case(server=paramiko(accepts=[PASS]), login=WITH_BOTH, refused=1),
    "paramiko, a code after the password": Case(
        server=paramiko(steps=[[ASK]], rounds=[Round(), CODE]),
        login=WITH_PASSWORD,
        ends=BLOCKED,
        reason=rf'a one-time code, with "Verification code:"\. .* use an account that .* {TEST_AGAIN}',
    ),
    "paramiko, a code after the key": Case(
        server=paramiko(steps=[[KEY], [ASK]], rounds=[CODE]),
        ends=BLOCKED,
        reason=rf'a one-time code, with "Verification code:"\. .* use an account that .* {TEST_AGAIN}',
    ),
    "paramiko, hangs up over the password": Case(
        server=paramiko(on_password=hang_up),
        login=WITH_PASSWORD,
        ends=BLOCKED,
        reason=rf"refused the password of user 'erp' and closed the connection\. Check .* {TEST_AGAIN}",
        refused=1,
    ),
    "paramiko, says why it hangs up": Case(
        server=paramiko(on_password=disconnect(2, "Account locked")),
        login=WITH_PASSWORD,
        ends=BLOCKED,
        reason=rf"refused the password .*\(the server says: Account locked\)\. Check .* {TEST_AGAIN}",
        refused=1,
    ),
    "paramiko, hangs up before": Case(
        server=paramiko(on_connect=hang_up),
        login=WITH_PASSWORD,
        ends=RETRIED,
        reason=r"closed the connection during the log-in of user 'erp'\. Try again, then ask its operator why",
    ),
    "paramiko, single sign-on only": Case(
        server=paramiko(steps=[["gssapi-with-mic"]]),
        ends=BLOCKED,
        reason=rf"asks for: gssapi-with-mic\. Ask its operator to allow a password or a private key, {TEST_AGAIN}",
    ),
    "paramiko, lets everybody in": Case(server=paramiko(steps=[])),
    "faulty, fsync fails": Case(server=faulty(Fails(operations=FSYNC, error=BARE_FAILURE))),
    "faulty, fsync is invalid": Case(server=faulty(Fails(operations=FSYNC, error=asyncssh.SFTPBadMessage("no")))),
    "faulty, fsync is not permitted": Case(server=faulty(Fails(operations=FSYNC, error=DENIED))),
    "faulty, no hard links": Case(server=faulty(NoSecondNames())),
    "faulty, no rename": Case(
        server=faulty(Fails(operations=RENAME, error=DENIED)), ends=BLOCKED, reason=rf"Cannot rename .* {OPTION}"
    ),
    "faulty, a rename is invalid": Case(
        server=faulty(Fails(operations=RENAME, error=asyncssh.SFTPBadMessage("Invalid argument"))),
        ends=BLOCKED,
        reason=rf"Cannot rename .*rejects the request \(the server says: Invalid argument\).* {TEST_AGAIN} {OPTION}",
    ),
    "faulty, a rename fails without a cause": Case(
        server=faulty(Fails(operations=RENAME, error=BARE_FAILURE)),
        ends=RETRIED,
        reason=rf"Cannot rename .*failed without a cause.*may not be able to rename .* {OPTION}",
    ),
    "faulty, a look fails without a cause": Case(
        server=faulty(Fails(operations=frozenset({"lstat"}), error=BARE_FAILURE)),
        ends=RETRIED,
        reason=rf"Cannot look at .*failed without a cause.* {OPTION}",
    ),
    "faulty, written to only": Case(
        server=faulty(DeniedStat(operations=frozenset({"lstat"}))), ends=BLOCKED, reason=rf"Cannot look at .* {OPTION}"
    ),
    "faulty, written to only, directly": Case(
        server=faulty(DeniedStat(operations=frozenset({"lstat"})), Fails(operations=RENAME, error=DENIED)),
        config=DIRECT,
    ),
    "nothing listens": Case(server=closed_port, ends=RETRIED, reason=r"nothing listens there\. Check host and port"),
    "a web server": Case(server=raw(speak_http), ends=RETRIED, reason=r"Check host and port: it may be no SSH server"),
    "a silent port": Case(
        server=raw(say_nothing), ends=RETRIED, reason=r"did not finish the key exchange.* Check host and port"
    ),
    "an unknown host": Case(
        server=closed_port,
        config={"host": "no-such-host.invalid"},
        ends=BLOCKED,
        reason=r"There is no host named no-such-host\.invalid\. Check the host, then test again",
    ),
}


def test_there_are_forty_kinds() -> None:
    assert len(CASES) >= 40


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def server(case: Case, tmp_path: Path) -> Iterator[Any]:
    with case.server(tmp_path / "erp") as server:
        for name in ("in", "acks"):
            (server.root / name).mkdir(parents=True, exist_ok=True)
        yield server


@pytest.fixture
def connection(case: Case, server: SFTPServer, organization: Organization, dropzone_root: Path) -> ERPConnection:
    login = {"private_key": server.private_key or "", "password": "" if server.private_key else PASSWORD, **case.login}
    return connect_to(server, organization, **{"timeout_s": 2, **login, **case.config})


def test_the_order_is_sent_or_one_reason_says_what_to_do(
    case: Case, server: Any, connection: ERPConnection, make_order: MakeOrder
) -> None:
    """F7, F18."""
    order = make_order()
    push_service.push(PushRequest(order=order, actor="ops", connection=connection))
    drain.drain(connection.pk)
    export = ERPExport.objects.get()
    connection.refresh_from_db()
    reason = connection.blocked_reason or export.error_message
    ends = SENT if export.status == "SENT" else BLOCKED if connection.blocked_at else RETRIED
    assert (ends, re.search(case.reason, reason) is not None) == (case.ends, True), reason
    assert len(reason) < 500
    if case.ends == SENT:
        content = (server.root / "in" / export.filename).read_bytes()
        assert json.loads(content)["draft_order_id"] == str(order.pk)
        assert names(server.root / "in") == [export.filename]
    if case.ends != RETRIED:
        _ask_again(connection)
    assert _refused(server) == case.refused


def _ask_again(connection: ERPConnection) -> None:
    ERPExport.objects.filter(status="PENDING").update(next_attempt_at=timezone.now())
    for ask in (drain.drain, ack_poller.poll, cleanup.tidy_up):
        # Each logs in anew, as in another worker.
        sessions.close_all()
        with suppress(ConnectorError):
            ask(connection.pk)


def _refused(server: Any) -> int:
    """Logins that the server refused, as it counts them itself."""
    if hasattr(server, "refused"):
        return int(server.refused)
    if hasattr(server, "log"):
        return len(re.findall(r"Failed (?:password|publickey)|\(Login failed\)|not allowed because", server.log()))
    if getattr(server, "expired", ""):
        return sum(kind == "password" for kind, _ in server.attempts)
    return 0
