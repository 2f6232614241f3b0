"""What the Dockerfile and docker-compose.yml have to say, read and not run: `make containers` runs them."""

import json
import re
from typing import Any

import pytest

from tests.containers.bases import PACKAGES
from tests.containers.files import COMPOSE, DOCKERFILE, FOLDER, OWN, ROOT, instructions, services
from tests.support.product.configuration_page import PAGE, first_cells

SERVICES = sorted(services())
LONG_RUNNING = sorted(set(SERVICES) - {"migrate"})
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
CONTAINERS_PAGE = (ROOT / "docs" / "how-to" / "containers.md").read_text(encoding="utf-8")
# Makes its user at every start, and its server begins as root.
ROOT_NEEDED = "sftp"
# A version and the Debian below it; that image has no tags with a version.
PINNED = re.compile(r"^docker\.io/(?:library/\w+:\d+(?:\.\d+)*(?:-slim)?-(?:bookworm|trixie)|atmoz/sftp:debian)$")
SECONDS = re.compile(r"^(\d+)s$")


def images() -> list[str]:
    named = [each["image"] for name, each in services().items() if name not in OWN]
    return [*named, *(line.split()[0] for line in instructions("FROM"))]


@pytest.mark.parametrize("image", images())
def test_images_are_pinned_and_name_their_registry(image: str) -> None:
    assert PINNED.match(image)


def test_the_image_of_its_own_has_a_tag_too() -> None:
    assert {services()[name]["image"] for name in OWN} == {"orderflow:${ORDERFLOW_TAG:-local}"}


def test_the_images_process_is_not_root_and_owns_its_volumes() -> None:
    assert instructions("USER") == ["10001:10001"]
    owned = re.search(r"install -d -o orderflow -g orderflow (.+)$", DOCKERFILE, re.MULTILINE)
    assert owned is not None
    folders = owned[1].split()
    (volumes,) = instructions("VOLUME")
    assert json.loads(volumes) == folders
    for name in OWN:
        assert [each.split(":")[1] for each in services()[name]["volumes"]] == folders


def test_the_image_is_checked_for_health_and_its_process_takes_signals() -> None:
    (check,) = instructions("HEALTHCHECK")
    assert "CMD [" in check
    (command,) = instructions("CMD")
    assert json.loads(command)[0] == "gunicorn"


def test_the_image_installs_only_locked_packages() -> None:
    installs = re.findall(r"pip install[^\n]*", DOCKERFILE)
    assert installs
    assert all("--require-hashes" in line and "--no-cache-dir" in line for line in installs)
    assert not instructions("ADD")


def test_connections_outlive_those_of_a_load_balancer() -> None:
    (command,) = instructions("CMD")
    arguments = json.loads(command)
    assert int(arguments[arguments.index("--keep-alive") + 1]) > 60


def test_what_the_image_copies_is_in_the_build_context() -> None:
    listed = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert listed[0] == "*"
    copied = {line.split()[0] for line in instructions("COPY") if not line.startswith("--from")}
    assert copied == {line.removeprefix("!") for line in listed if line.startswith("!")}


def in_the_containers(section: str) -> set[str]:
    return first_cells(section.partition("\n## Settings")[2].partition("\n## ")[0])


@pytest.mark.parametrize("name", OWN)
def test_every_documented_setting_reaches_the_container(name: str) -> None:
    """All of .env does, except what the file itself says; docs/how-to/containers.md lists that."""
    service = services()[name]
    assert service["env_file"] == ".env"
    documented = first_cells(PAGE.partition("\n## ")[0])
    assert len(documented) > 40
    own = set(service["environment"])
    assert own <= documented
    assert own <= in_the_containers(CONTAINERS_PAGE)
    for setting, value in service["environment"].items():
        # Its own folders in the container, or what .env says first.
        assert value.startswith(("/", f"${{{setting}:-"))


def test_every_variable_of_the_file_is_documented() -> None:
    variables = set(re.findall(r"(?<!\$)\$\{(\w+)", COMPOSE_TEXT))
    assert variables <= in_the_containers(CONTAINERS_PAGE)
    assert in_the_containers(CONTAINERS_PAGE) <= variables | {"DATA_DIR", "STATE_DIR", "DROPZONE_ROOT"}


def test_no_password_has_a_default() -> None:
    passwords = re.findall(r"\$\{(\w*PASSWORD\w*)(.*?)\}", COMPOSE_TEXT)
    assert {name for name, _ in passwords} == {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "SFTP_PASSWORD"}
    assert all(rest.startswith(":?") for _, rest in passwords)


def arguments_of(service: dict[str, Any]) -> str:
    return json.dumps([service.get("command"), service.get("entrypoint"), service.get("healthcheck")])


@pytest.mark.parametrize("name", SERVICES)
def test_no_argument_holds_a_value_from_env(name: str) -> None:
    """Every user of the machine sees the arguments of a process."""
    assert not re.search(r"(?<!\$)\$\{?\w", arguments_of(services()[name]))


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_confined(name: str) -> None:
    service = services()[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert not service.get("privileged")
    if name != ROOT_NEEDED:
        assert service["read_only"] is True
        assert "cap_add" not in service
        assert any(folder.split(":")[0] == "/tmp" for folder in service["tmpfs"])  # noqa: S108 - of the container
        assert name in OWN or service["user"] not in {"root", "0"}


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_every_service_that_stays_is_restarted_and_checked(name: str) -> None:
    service = services()[name]
    assert service["restart"] == "unless-stopped"
    check = service["healthcheck"]
    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert SECONDS.match(check["interval"])
    assert SECONDS.match(check["timeout"])


def test_the_one_that_ends_is_not_restarted() -> None:
    assert services()["migrate"]["restart"] == "no"
    assert services()["migrate"]["healthcheck"] == {"disable": True}


def test_the_workers_check_has_a_task_run() -> None:
    check = services()["worker"]["healthcheck"]
    arguments = check["test"]
    assert arguments[1:4] == ["python", "manage.py", "check_worker"]
    found = SECONDS.match(check["timeout"])
    assert found is not None
    # Python starts before the command waits.
    assert int(arguments[arguments.index("--timeout") + 1]) + 10 <= int(found[1])


def test_beats_check_looks_at_what_beat_sent() -> None:
    assert services()["beat"]["healthcheck"]["test"] == ["CMD", "python", "manage.py", "check_beat"]


def test_ports_are_open_to_this_machine_alone() -> None:
    ports = [port for service in services().values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_volume_is_declared() -> None:
    used = {volume.split(":")[0] for service in services().values() for volume in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


def test_the_gate_runs_no_containers() -> None:
    assert "containers" not in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_bases_made_of_packages_stand_on_the_same_debian() -> None:
    """Of the version that the published image is pinned to."""
    for kind in sorted(path.name for path in (FOLDER / "bases").iterdir()):
        (base,) = re.findall(
            r"^FROM localhost/orderflow-debian:(\w+)$",
            (FOLDER / "bases" / kind / "Dockerfile").read_text(),
            re.MULTILINE,
        )
        assert base in PACKAGES
        pinned = [image for image in images() if f"/{kind}:" in image]
        assert pinned
        assert kind == "sftp" or all(image.endswith(f"-{base}") for image in pinned)
