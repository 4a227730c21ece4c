"""The desk: where translations are made, written, looked at and approved, sentence by sentence.

Nothing leaves before a person who reads the language has approved it. For each sentence the order is: what was
said for it before, the memory, the machine, a person.
"""
