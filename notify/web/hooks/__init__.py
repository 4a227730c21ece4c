"""The way in for providers: what they call back.

`routes` takes the requests, `fetching` asks where nobody calls, `talking` sees to the answers, `intake` gathers
what comes into one commit, `residents` draws the consequences, `menus` offers choices.
"""
