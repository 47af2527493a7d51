"""What goes wrong for a user, said in one sentence."""


class Failure(Exception):
    """The work cannot be done; the message says what is wrong and how to mend it. Exit code 1."""


class Misuse(Failure):
    """The command or call was asked for something that makes no sense. Exit code 2."""
