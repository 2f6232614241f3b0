"""Runs in a container of the image: an ERP that takes one order over SFTP, writes its acknowledgement and prints the
order's file name."""

import json
import os
import sys
import time

import paramiko

from orderflow.demo.erp.rules import decide

WAITS_S = 30


def main() -> None:
    client = paramiko.SSHClient()
    # The ERP's own server.
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())  # noqa: S507
    client.connect("sftp", username="erp", password=os.environ["SFTP_PASSWORD"], look_for_keys=False, allow_agent=False)
    with client, client.open_sftp() as sftp:
        name = _arrived(sftp)
        with sftp.open(f"/in/{name}") as file:
            document = file.read()
        sftp.remove(f"/in/{name}")
        decision = decide(document)
        accepted = {"status": "ACKED", "erp_order_id": "SO-2026-000001"}
        rejected = {"status": "FAILED", "error_code": decision.error_code, "message": decision.message}
        with sftp.open(f"/acks/.{name}.part", "w") as file:
            file.write(json.dumps(rejected if decision.error_code else accepted))
        sftp.rename(f"/acks/.{name}.part", f"/acks/{'error' if decision.error_code else 'ack'}_{name}")
    sys.stdout.write(name)


def _arrived(sftp: paramiko.SFTPClient) -> str:
    end = time.monotonic() + WAITS_S
    while time.monotonic() < end:
        names = [name for name in sftp.listdir("/in") if name.startswith("sales_order_") and name.endswith(".json")]
        if names:
            return names[0]
        time.sleep(0.5)
    sys.exit("No order arrived in /in.")


if __name__ == "__main__":
    main()
