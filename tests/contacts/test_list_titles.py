"""Titles of lists in the scripts residents read (R23)."""

from __future__ import annotations

import pytest
from sqlmodel import Session

from contacts import lists
from contacts.lists import BadListName


@pytest.mark.parametrize(
    "title", ["پیام‌های فوری", "क्‍ष समाचार", "Nouvèl semèn nan", "每周新闻"], ids=["fa", "hi", "ht", "zh"]
)
def test_r23_a_title_keeps_its_joiners(session: Session, title: str) -> None:
    listed = lists.get_or_create(session, title)
    lists.edit(session, listed, titles={"fa": title}, description=title)
    assert listed.name == listed.titles["fa"] == listed.description == title


@pytest.mark.parametrize("title", ["a\x00b", "\u202eswen", "new\u200bs", "a\ud800"])
def test_other_invisible_signs_are_refused(session: Session, title: str) -> None:
    listed = lists.get_or_create(session, "News")
    with pytest.raises(BadListName):
        lists.edit(session, listed, titles={"en": title})
