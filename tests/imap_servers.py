"""A real IMAP server on loopback: Dovecot, with one mailbox in a folder of its own."""

from __future__ import annotations

import getpass
import imaplib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from certificates import certificate

USER, PASSWORD = "bounces@riverton.example", "a pässword"

_CONFIG = """
protocols = imap
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
listen = 127.0.0.1
ssl = yes
ssl_cert = <{pem}
ssl_key = <{pem}
disable_plaintext_auth = yes
auth_mechanisms = plain
mail_location = maildir:{folder}/mail
mail_home = {folder}
first_valid_uid = 0
mail_uid = {user}
mail_gid = {group}
{users}
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}
}}
namespace inbox {{
  inbox = yes
  separator = {separator}
  prefix = {prefix}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
imap_capability = {capability}
"""


@dataclass
class ImapServer:
    """A running server."""

    port: int  # STARTTLS
    tls_port: int
    pem: Path

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Settings of the email channel that lead here."""
        return {
            "mailbox_host": "127.0.0.1",
            "mailbox_port": self.tls_port,
            "mailbox_username": USER,
            "mailbox_password": PASSWORD,
            "ca_file": self.pem,
            **changes,
        }

    @contextmanager
    def client(self) -> Iterator[imaplib.IMAP4]:
        """Another mail program, logged in."""
        context = ssl.create_default_context(cafile=self.pem)
        with imaplib.IMAP4_SSL("127.0.0.1", self.tls_port, ssl_context=context, timeout=10) as client:
            client.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
            yield client

    def put(self, *mails: bytes, folder: str = "INBOX") -> None:
        """Let mails arrive."""
        with self.client() as client:
            for mail in mails:
                assert client.append(folder, "", None, mail)[0] == "OK"

    def mails(self, folder: str = "INBOX") -> list[bytes]:
        """What is in a folder, as it came."""
        with self.client() as client:
            if client.select(f'"{folder}"', readonly=True)[0] != "OK":
                return []
            _, data = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
            return [item[1] for item in data if isinstance(item, tuple)]


@contextmanager
def dovecot(*, separator: str = "/", prefix: str = "", capability: str = "") -> Iterator[ImapServer]:
    """Run Dovecot.

    Args:
        separator: between the levels of folders.
        prefix: under which all folders but INBOX have to be.
        capability: announce these instead of what it can do.
    """
    program = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip(
            "Dovecot is not installed (apt install dovecot-imapd), so there is no IMAP server to try."
        )
    with TemporaryDirectory(prefix="dovecot-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = ImapServer(_free_port(), _free_port(), certificate(folder))
        config = folder / "dovecot.conf"
        config.write_text(_config(folder, server, separator, prefix, capability), "utf-8")
        (folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n", "utf-8")
        (folder / "mail").mkdir(mode=0o777)
        (folder / "mail").chmod(0o777)
        process = subprocess.Popen([program, "-F", "-c", str(config)], start_new_session=True)
        try:
            _wait_for(server, folder / "log")
            yield server
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # asked to stop, it takes seconds
            process.wait(20)


def _config(folder: Path, server: ImapServer, separator: str, prefix: str, capability: str) -> str:
    if os.geteuid() == 0:
        user, group, users = "nobody", "nogroup", ""
        shutil.chown(folder, "nobody")
    else:
        user = getpass.getuser()
        group = str(os.getegid())
        users = (
            f"default_internal_user = {user}\ndefault_internal_group = {group}\ndefault_login_user = {user}"
        )
    return _CONFIG.format(
        folder=folder, pem=server.pem, user=user, group=group, users=users,
        separator=separator, prefix=prefix, port=server.port, tls_port=server.tls_port, capability=capability,
    )  # fmt: skip


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(server: ImapServer, log: Path) -> None:
    for _ in range(100):
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", server.tls_port)).close()
            return
        time.sleep(0.05)
    raise AssertionError(f"Dovecot did not start: {log.read_text('utf-8') if log.exists() else ''}")
