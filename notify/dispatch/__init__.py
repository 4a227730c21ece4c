"""Dispatch: one approved statement, to one audience, over some channels, at one time.

Read in this order: `models` (the ledger's tables), `plan` (audience to rows), `journal` (what survives a
kill), `ledger` (claims and writes), `deliver` (one batch), `engine` (what runs them), `receipts` (what comes
back), `control` (pause, resume, stop) and `report`.
"""
