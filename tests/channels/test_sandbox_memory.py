"""A sandbox goes on where an earlier one in the same folder stopped."""

from __future__ import annotations

from pathlib import Path

import aiosmtplib

from channels.sandbox import Sandbox, memory


async def mail(sandbox: Sandbox) -> None:
    await aiosmtplib.send(
        b"Subject: x\r\n\r\nx\r\n",
        sender="a@b.example",
        recipients=["grace@mail.example"],
        hostname="127.0.0.1",
        port=sandbox.relay.port,
    )


async def test_what_residents_saw_and_decided_is_there_again(tmp_path: Path) -> None:
    async with Sandbox(tmp_path) as first:
        await first.reply_sms("+15550100199", "STOP")
        await first.reply_telegram(42, "hello")
        await first.block_bot(43)
        await mail(first)
        memory.save(first)
    async with Sandbox(tmp_path) as second:
        memory.restore(second)
        await mail(second)
        assert list(second.sms) == list(first.sms)
        assert list(second.chats) == list(first.chats)
        assert second.provider.opted_out == {"+15550100199"}
        assert second.bots.blocked == {"43"}
        numbers = [item.number for shelf in second.shelves.values() for item in shelf]
        assert len(set(numbers)) == len(numbers) == 5


async def test_an_earlier_mail_is_never_written_over(tmp_path: Path) -> None:
    for _ in range(2):
        async with Sandbox(tmp_path) as sandbox:
            await mail(sandbox)
    assert len(list((tmp_path / "mails").glob("*.eml"))) == 2


async def test_a_folder_without_memory_is_empty(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    memory.restore(sandbox)
    assert not any(shelf.total for shelf in sandbox.shelves.values())
