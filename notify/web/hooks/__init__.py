"""The way in for providers: what they call back.

`routes` takes the requests, `intake` gathers them into one commit, `residents` draws
the consequences.
"""
