"""Printed letters: PDF for a mail house, one letter for each household, in every script. See README.md."""

from channels.letter.adapter import LetterChannel
from channels.letter.proof import proof
from channels.letter.settings import LetterSettings

__all__ = ["LetterChannel", "LetterSettings", "proof"]
