"""Topics for a city that is only tried out, so that residents' pages have something to show at once."""

from __future__ import annotations

import tomllib

from sqlmodel import Session

import templates
from channels.folding import fold
from contacts import lists
from notify.web.public.topics import public_lists


def offer_topics(session: Session) -> list[str]:
    """Make the public lists of templates/demo/topics.toml, unless there are public lists. Nothing is committed.

    Returns:
        The names of the lists that were made.
    """
    if public_lists(session):
        return []
    text = (templates.directory() / "demo" / "topics.toml").read_text("utf-8")
    made = []
    for topic in tomllib.loads(text)["topic"]:
        listed = lists.get_or_create(session, topic["name"], description=topic["description"])
        lists.edit(session, listed, public=True, titles=topic["titles"], join_word=fold(topic["join_word"]))
        made.append(listed.name)
    return made
