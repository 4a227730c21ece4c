"""Addresses as residents' pages show them."""

from __future__ import annotations

from channels.contract import AddressKind


def shown_address(kind: AddressKind, address: str) -> str:
    """As much of an address as its owner needs to know it, and nobody else can use."""
    if kind is AddressKind.EMAIL:
        name, _, domain = address.rpartition("@")
        return f"{name[:1]}•••@{domain}"
    if kind is AddressKind.PHONE:
        return f"•••{address[-4:]}"
    if kind is AddressKind.CHAT:
        return f"•••{address[-3:]}"
    return f"{address.split()[0]}\N{NO-BREAK SPACE}•••"
