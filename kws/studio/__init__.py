"""`kws studio`: one page on this machine that shows what a detector hears, and helps to make a word one's own.

The page lies in `web/` and listens by itself; the server gives it files, this machine's microphone, and what else of
the command line it asks for. Nothing leaves the machine.
"""
