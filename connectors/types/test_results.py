"""What a connection test found."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True, slots=True)
class TestStep:
    """`duration_ms` is wall time; `detail` is what was seen, or what to do about the failure."""

    __test__: ClassVar[bool] = False

    name: str
    success: bool
    duration_ms: int
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TestResult:
    """`host_key` is the key that the server showed when none, or another one, is pinned. `login_refused` says that the
    server rejected credentials, which are not to be offered again."""

    __test__: ClassVar[bool] = False

    success: bool
    latency_ms: int
    error_message: str | None = None
    steps: tuple[TestStep, ...] = ()
    host_key: str | None = None
    login_refused: bool = False
