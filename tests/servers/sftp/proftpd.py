"""ProFTPD with mod_sftp on a free port of the loopback, with keys, configuration and folders of its own."""

import contextlib
import getpass
import grp
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.servers.missing import not_installed, program
from tests.servers.sftp.sftp_server import ServerProcess, prepare, running

MODULES = Path("/usr/lib/proftpd")
USERNAME = "erp"

CONFIG = """\
ServerType standalone
ServerName OrderFlow
DefaultAddress 127.0.0.1
SocketBindTight on
Port {port}
UseIPv6 off
UseReverseDNS off
User {user}
Group {group}
PidFile {folder}/pid
ScoreboardFile {folder}/scoreboard
SystemLog {folder}/log
TransferLog none
WtmpLog off
ModulePath {modules}
LoadModule mod_sftp.c
AuthOrder mod_auth_file.c
AuthUserFile {folder}/passwd
RequireValidShell off
RootLogin on
AllowOverwrite on
MaxInstances 100
SFTPEngine on
SFTPLog {folder}/log
SFTPHostKey {folder}/host_key
SFTPAuthMethods {methods}
SFTPAuthorizedUserKeys file:{folder}/authorized_keys.rfc4716
{extra}
"""


@contextlib.contextmanager
def proftpd_server(
    folder: Path, *, extra: str = "", methods: str = "publickey", password: str = ""
) -> Iterator[ServerProcess]:
    """`extra` are further lines of its configuration. Its user is the one that runs the tests, by another name.
    `methods` are those of `SFTPAuthMethods`, joined by + where all of them are needed."""
    proftpd = program("proftpd", package="proftpd-core", folders="/usr/sbin")
    if not (MODULES / "mod_sftp.so").exists():
        not_installed("ProFTPD's mod_sftp", "Debian's package proftpd-mod-crypto")
    root = prepare(folder)
    _write_accounts(folder, root, password)

    def command(port: int) -> list[str]:
        config = folder / "proftpd.conf"
        owner, group = getpass.getuser(), grp.getgrgid(os.getgid()).gr_name
        config.write_text(
            CONFIG.format(
                port=port, folder=folder, modules=MODULES, user=owner, group=group, methods=methods, extra=extra
            )
        )
        return [str(proftpd), "--nodaemon", "--quiet", "-c", str(config)]

    with running(folder, USERNAME, command) as server:
        yield server


def _write_accounts(folder: Path, root: Path, password: str) -> None:
    digest = _hashed(password) if password else "*"
    (folder / "passwd").write_text(f"{USERNAME}:{digest}:{os.getuid()}:{os.getgid()}::{root}:/bin/false\n")
    # ProFTPD takes neither from a file that others can change.
    (folder / "passwd").chmod(0o600)
    convert = ["ssh-keygen", "-e", "-m", "RFC4716", "-f", str(folder / "user_key.pub")]
    keys = subprocess.run(convert, check=True, capture_output=True).stdout
    (folder / "authorized_keys.rfc4716").write_bytes(keys)
    (folder / "authorized_keys.rfc4716").chmod(0o600)


def _hashed(password: str) -> str:
    hashing = ["openssl", "passwd", "-6", "-stdin"]
    return subprocess.run(hashing, check=True, capture_output=True, input=password, text=True).stdout.strip()
