"""What the mayor says: its words, what is kept of them, and their way to an approval.

Everything a resident's eye will meet, in all languages, goes into one hash; an approval signs that hash.
"""

from notify.statements.life import (
    NotApproved,
    approve,
    draft,
    edit,
    last_approval,
    require_approved,
    submit,
    withdraw,
    words_changed,
)
from notify.statements.models import Approval, Origin, Revision, State, Statement, Translation
from notify.statements.reading import content_hash, find, ready_texts, source, source_hash, translations
from notify.statements.standins import is_stand_in, reader_of, written_in
from notify.statements.texts import (
    Draft,
    Kind,
    StatementError,
    Text,
    check_text,
    parse,
)

__all__ = [
    "Approval", "Draft", "Kind", "NotApproved", "Origin", "Revision",
    "State", "Statement", "StatementError", "Text", "Translation", "approve",
    "check_text", "content_hash", "draft", "edit", "find", "is_stand_in",
    "last_approval", "parse", "reader_of", "ready_texts", "require_approved", "source",
    "source_hash", "submit", "translations", "withdraw", "words_changed", "written_in",
]  # fmt: skip
