"""The topics of a city that is tried out."""

from __future__ import annotations

from collections.abc import Callable

import templates
from notify.cli.samples import offer_topics
from notify.hub import Hub
from notify.web.public.topics import described, public_lists


def test_residents_can_choose_in_every_language(make_hub: Callable[..., Hub]) -> None:
    with make_hub().database.session() as session:
        assert len(offer_topics(session)) == 2
        for language in templates.languages():
            assert [topic.language for topic in described(public_lists(session), language, "en")] == [
                language
            ] * 2


def test_a_city_with_topics_of_its_own_keeps_them(make_hub: Callable[..., Hub]) -> None:
    with make_hub().database.session() as session:
        offer_topics(session)
        assert offer_topics(session) == []
        assert len(public_lists(session)) == 2
