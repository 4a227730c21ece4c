"""The sandbox as a process of its own: prints its settings as a line of JSON, runs until stopped.

python -m channels.sandbox FOLDER [--hub-url URL] [--public-url URL] [--ports SMS,EMAIL,TELEGRAM]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from channels.sandbox import Ports, Sandbox


def main() -> None:
    """Run until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m channels.sandbox", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hub-url", default="")
    parser.add_argument("--public-url", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ports", type=_ports, default=Ports())
    given = parser.parse_args()
    asyncio.run(
        _serve(
            Sandbox(given.folder, given.hub_url, given.seed, public_url=given.public_url, ports=given.ports)
        )
    )


def _ports(text: str) -> Ports:
    return Ports(*map(int, text.split(",")))


async def _serve(sandbox: Sandbox) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with sandbox:
        sys.stdout.write(json.dumps(sandbox.settings()) + "\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    main()
