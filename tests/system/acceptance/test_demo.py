"""The demo as a newcomer runs it."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.cookiejar import CookieJar
from pathlib import Path

from connectors.documents.naming import is_of_test
from orderflow.demo.lock import fresh_folder

MANAGE = str(Path(__file__).parents[3] / "manage.py")


@contextmanager
def demo(data: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Without the keys and the places of the test run: a newcomer has none."""
    command = [sys.executable, MANAGE, "demo", *arguments]
    env = {"PATH": os.environ["PATH"], "COLUMNS": "120", "DATA_DIR": str(data), **environment}
    with subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.terminate()


def read_until(process: subprocess.Popen[str], end: str) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(end):
            return "".join(lines)
    raise AssertionError(f"It ended before it said {end!r}:\n{''.join(lines)}")


def addresses(output: str) -> dict[str, str]:
    return dict(re.findall(r"^  (\w+) +(\S+)$", output, re.MULTILINE))


def assert_nothing_runs(data: Path) -> None:
    """Every process of a demo holds its lock."""
    with fresh_folder(data / "demo"):
        pass


def log_in(admin: str, user: str, password: str) -> str:
    """The address that a browser ends at."""
    cookies = CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    browser.open(f"{admin}login/", timeout=10).close()
    token = next(cookie.value for cookie in cookies if cookie.name == "csrftoken")
    form = {"username": user, "password": password, "csrfmiddlewaretoken": token or "", "next": "/admin/"}
    with browser.open(f"{admin}login/", urllib.parse.urlencode(form).encode(), timeout=30) as page:
        return str(page.url)


def test_every_order_gets_its_answer_and_nothing_is_left_running(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.sqlite3"
    with demo(tmp_path, "--once", "--orders", "30", DATABASE_URL=f"sqlite:///{elsewhere}") as process:
        output, errors = process.communicate(timeout=150)
    assert (process.returncode, errors) == (0, "")
    assert re.search(r"ACKED +28 *\n", output)
    assert re.search(r"FAILED +2 *\n +2 +Customer RATTC is blocked: an invoice is overdue", output)

    erp = tmp_path / "demo" / "erp"
    assert addresses(output)["Dropzone"] == str(erp)
    # It may be quicker than the test of the connection, which removes its file.
    taken = {path.name for path in (erp / "taken").iterdir() if not is_of_test(path.name)}
    names = [path.name.partition("_")[2] for path in (erp / "acks" / "processed").iterdir()]
    answered = {name for name in names if not is_of_test(name)}
    assert len(taken) == 30
    assert taken == answered
    assert not list((erp / "in").iterdir())
    with closing(sqlite3.connect(tmp_path / "demo" / "orderflow.sqlite3")) as database:
        rows = database.execute(
            "SELECT filename, status, erp_order_id, error_message FROM exports_erpexport"
        ).fetchall()
    assert {row[0] for row in rows} == taken
    assert all(re.fullmatch(r"SO-\d{4}-\d{6}", row[2]) for row in rows if row[1] == "ACKED")
    assert not elsewhere.exists()
    assert_nothing_runs(tmp_path)


def test_it_stays_up_until_ctrl_c_and_has_the_folder_to_itself(tmp_path: Path) -> None:
    with demo(tmp_path, "--orders", "3") as process:
        values = addresses(read_until(process, "Everything stays up"))
        assert values["Admin"].startswith("http://127.0.0.1:")
        assert log_in(values["Admin"], values["User"], values["Password"]) == values["Admin"]
        with demo(tmp_path, "--orders", "3") as another:
            _, errors = another.communicate(timeout=60)
        assert another.returncode == 1
        assert f"A demo is running in {tmp_path / 'demo'} already." in errors
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (0, "Stopping.\nStopped.\n", "")
    assert_nothing_runs(tmp_path)


def test_a_process_that_dies_ends_the_demo_with_its_last_words(tmp_path: Path) -> None:
    with demo(tmp_path, "--orders", "3") as process:
        read_until(process, "Everything stays up")
        _demo, _web, worker, _beat = map(int, (tmp_path / "demo.lock").read_text().split())
        os.kill(worker, signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "The worker process ended with code -9." in errors
    assert "exports.tasks" in errors
    assert_nothing_runs(tmp_path)
