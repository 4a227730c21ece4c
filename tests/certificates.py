"""A certificate for servers on loopback."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def certificate(folder: Path, *names: str) -> Path:
    """A self-signed certificate and its key in one PEM file, made by openssl."""
    openssl = shutil.which("openssl")
    assert openssl, "These tests make a certificate: install openssl (apt install openssl)."
    key, cert, pem = (folder / name for name in ("key.pem", "cert.pem", "both.pem"))
    alternatives = ",".join(names or ("IP:127.0.0.1", "DNS:localhost"))
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={alternatives}"),
            *("-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    pem.write_bytes(key.read_bytes() + cert.read_bytes())
    return pem
