"""Markdown files with a YAML head between two lines of `---`: how statements and playbooks are written."""

from __future__ import annotations

import re
from typing import Any

import yaml

_HEAD = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)(.*)\Z", re.DOTALL)


class FrontMatterError(ValueError):
    """The head is missing or is no valid YAML; the message names line and cure."""


def read(text: str) -> tuple[dict[str, Any], str]:
    """Split a file into its head and its body.

    Raises:
        FrontMatterError: there is no head, or it is no mapping.
    """
    match = _HEAD.match(text)
    if match is None:
        raise FrontMatterError(
            "The file has no head. Start it with a line ---, then title: and short:, then ---."
        )
    try:
        head = yaml.safe_load(match[1])
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 2}: " if mark else ""
        problem = getattr(error, "problem", None) or "this is no valid YAML"
        raise FrontMatterError(
            f"{place}{problem}. Put texts that hold a colon or # in quotation marks."
        ) from None
    except (ValueError, RecursionError) as error:  # dates like 2026-99-99; deep nesting
        raise FrontMatterError(
            f"The head cannot be read: {type(error).__name__}. Put dates in quotation marks."
        ) from None
    if not isinstance(head, dict):
        raise FrontMatterError("The head holds no fields. Write one on each line, like title: What happened.")
    return {str(key): value for key, value in head.items()}, match[2].strip()
