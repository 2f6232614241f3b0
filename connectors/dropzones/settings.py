"""A connection's dropzone, as the code works with it."""

import math
import posixpath
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings

from connectors.dropzones.backends.base import Dropzone
from connectors.dropzones.backends.local.dropzone import LocalDropzone
from connectors.dropzones.backends.sftp import SFTPDropzone
from connectors.dropzones.outages import folders_may_return
from connectors.fencing import Fence
from connectors.sftp.pool import Key, Owner, sessions
from connectors.sftp.session import SFTPSession
from connectors.sftp.target import FACTS, SFTPTarget
from connectors.types.test_results import Steps

# What a fence puts into a temporary name, before the extension of the document's name.
_MARK = re.compile(r"\.t[0-9]+-[0-9]+(?=\.|\Z)", re.ASCII)


def is_marked(temporary: str) -> bool:
    """Whether only the lease holder that the mark names can have written or removed a file called `temporary`.

    The form of temporary names does not matter: it may have been edited since.
    """
    return _MARK.search(temporary) is not None


def _unmarked(name: str) -> str:
    marks = [*_MARK.finditer(name)]
    return f"{name[: marks[-1].start()]}{name[marks[-1].end() :]}" if marks else name


@dataclass(frozen=True, kw_only=True, slots=True)
class DropzoneSettings:
    """`place` names the dropzone for people and for the journal: a file staged in one place is not in another.
    `owner` is who may use a session again; without one, none is kept. `ends_at` is when every session is cut, `fence`
    the lease under which it is used. `worked` says that orders were put into the present folder before."""

    place: str
    export_path: str
    ack_path: str
    atomic_write: bool
    temp_name: str
    answer_due: timedelta | None
    root: str
    target: SFTPTarget | None
    owner: Owner | None
    ends_at: float
    fence: Fence
    worked: bool = False

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "DropzoneSettings":
        """`config` as the form cleaned it. A connection's config always names the `root` of its organization;
        without one, code calls the connector by itself, and paths are the machine's own."""
        target = _target(config) if config["mode"] == "sftp" else None
        root = config.get("root") or "/"
        return cls(
            place=f"sftp://{target.username}@{target.host}:{target.port}" if target else f"file://{root}",
            export_path=config["export_path"],
            ack_path=config["ack_path"],
            atomic_write=config["atomic_write"],
            temp_name=config["temp_name"],
            answer_due=timedelta(hours=config["ack_timeout_h"]) if config["ack_path"] else None,
            root=root,
            target=target,
            owner=_owner(config),
            ends_at=config.get("ends_at", math.inf),
            fence=config.get("fence") or Fence(),
            worked=config.get("worked", False),
        )

    def temporary_name(self, filename: str, mark: str) -> str:
        """Where one batch of one lease holder stages `filename`; `mark` is `Fence.next_mark`'s."""
        stem, extension = posixpath.splitext(filename)
        return self._in_form(f"{stem}.t{mark}{extension}")

    def final_name(self, temporary: str) -> str | None:
        """The document's name behind a temporary one, with or without a mark; None for what is no temporary name."""
        before, _, behind = self.temp_name.partition("{name}")
        name = temporary.removeprefix(before).removesuffix(behind)
        return _unmarked(name) if name and self._in_form(name) == temporary else None

    def _in_form(self, name: str) -> str:
        return self.temp_name.replace("{name}", name)

    @contextmanager
    def open(self) -> Iterator[Dropzone]:
        """A session with the dropzone, one that was kept where there is one. Raises `ConnectorError`; a root that is
        missing is a `TransientError` where the connection worked before."""
        with ExitStack() as stack:
            with folders_may_return(worked=self.worked):
                dropzone = stack.enter_context(self._session())
            yield dropzone

    @contextmanager
    def _session(self) -> Iterator[Dropzone]:
        if self.target and self.owner:
            key = Key(owner=self.owner, target=self.target)
            idle_s, ends_at = settings.SFTP_IDLE_S, self.ends_at
            with sessions.borrowed(key, idle_s=idle_s, ends_at=ends_at, fence=self.fence) as session:
                yield SFTPDropzone(session)
        else:
            with self.connect() as dropzone:
                yield dropzone

    def connect(self, steps: Steps | None = None) -> Dropzone:
        """A session that nobody had before and nobody gets afterwards. Raises `ConnectorError`."""
        if self.target is None:
            return LocalDropzone(self.root, fence=self.fence)
        return SFTPDropzone(SFTPSession(self.target, steps=steps, ends_at=self.ends_at, fence=self.fence))


def _owner(config: Mapping[str, Any]) -> Owner | None:
    if "connection_id" not in config:
        return None
    return Owner(connection_id=config["connection_id"], revision=config["revision"])


def _target(config: Mapping[str, Any]) -> SFTPTarget:
    return SFTPTarget(
        host=config["host"],
        port=config["port"],
        username=config["username"],
        password=config["password"] or None,
        private_key=config["private_key"] or None,
        passphrase=config["passphrase"] or None,
        host_key=config["host_key"],
        timeout_s=config["timeout_s"],
        allowed_networks=settings.DROPZONE_ALLOWED_NETWORKS,
        **{name: config[name] for name in FACTS if name in config},
    )
