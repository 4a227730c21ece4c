"""The commands. `main` is the entry point: it turns every known error into one line and an exit status."""

from __future__ import annotations

from notify.cli.app import main

__all__ = ["main"]
