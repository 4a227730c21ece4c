"""A real Postfix on loopback, with a queue of its own: relays to another server, keeps what bounces in a file."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

_SERVICES = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""

_CONFIG = """
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = mx.riverton.example
mydestination =
mynetworks = 127.0.0.0/8
smtpd_recipient_restrictions = permit_mynetworks,reject
default_transport = smtp:[127.0.0.1]:{relay}
virtual_mailbox_domains = riverton.example
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:box
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
recipient_delimiter = +
"""


@dataclass(frozen=True)
class Postfix:
    """A running one."""

    port: int
    box: Path

    def bounced(self, count: int, patience: float = 30) -> list[bytes]:
        """The mails that came back to riverton.example, when there are so many."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            found = self.box.read_bytes().split(b"\nFrom MAILER-DAEMON ") if self.box.exists() else []
            if len(found) >= count:
                return [mail.partition(b"\n")[2] for mail in found]
            time.sleep(0.1)
        raise AssertionError("The bounces did not come.")


@contextmanager
def postfix(relay: int) -> Iterator[Postfix]:
    """Run Postfix.

    Args:
        relay: the port of the server on loopback that mail for others goes to.
    """
    program = shutil.which("postfix", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("Postfix is not installed (apt install postfix), so there is no server to bounce.")
    if os.geteuid() != 0:
        pytest.skip("Postfix can be started by root only.")
    owner = pwd.getpwnam("postfix")
    with TemporaryDirectory(prefix="postfix-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("conf", "spool", "data", "mail"):
            (folder / part).mkdir()
        for part in ("data", "mail"):
            os.chown(folder / part, owner.pw_uid, owner.pw_gid)
        port = _free_port()
        (folder / "conf" / "master.cf").write_text(_SERVICES.format(port=port))
        config = _CONFIG.format(folder=folder, relay=relay, uid=owner.pw_uid, gid=owner.pw_gid)
        (folder / "conf" / "main.cf").write_text(config)
        command = [program, "-c", str(folder / "conf")]
        subprocess.run([*command, "start"], check=True, capture_output=True, timeout=30)
        try:
            _wait_for(port)
            yield Postfix(port, folder / "mail" / "box")
        finally:
            subprocess.run([*command, "stop"], check=True, capture_output=True, timeout=30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    for _ in range(200):
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.05)
    raise AssertionError("Postfix did not start.")
