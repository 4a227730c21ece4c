"""The two messages that sign-ups bring about: please confirm, and you get our messages already."""

from __future__ import annotations

from channels.contract import Action, ApprovedText, City
from templates import phrases


def please_confirm(language: str, city: City, url: str, until: str) -> ApprovedText:
    """The message with the link that turns a wish into a yes.

    Args:
        language: one that has phrases, BCP 47.
        city: who asks.
        url: of the page with the button.
        until: the last day on which it works, as the language writes it.
    """
    words = phrases(language)
    body = f"{words['email_confirm_text']}\n\n{words['email_confirm_ignore']}"
    return _answer(
        language,
        title=words["email_confirm_title"],
        short=words["sms_confirm"].format(url=url),
        body=body.format(city=city.name, date=until),
        action=Action(words["confirm_button"], url),
    )


def known_already(language: str, city: City, url: str) -> ApprovedText:
    """The message to an address that gets all it has just been signed up for.

    Args:
        language: one that has phrases, BCP 47.
        city: who answers.
        url: of the address's preferences.
    """
    words = phrases(language)
    return _answer(
        language,
        title=words["email_known_title"],
        short=words["sms_known"].format(url=url),
        body=words["email_known_text"].format(city=city.name),
        action=Action(words["prefs_link"], url),
    )


def _answer(language: str, *, title: str, short: str, body: str, action: Action) -> ApprovedText:
    return ApprovedText(
        reference="answer",
        language=language,
        source_language=language,
        kind="notice",
        title=title,
        short=short,
        body=body,
        actions=(action,),
        is_answer=True,
    )
