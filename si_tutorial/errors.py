"""What is said to whoever gave a command: one sentence, and no traceback."""


class UserError(Exception):
    """Something that the reader of its message can mend; it says what, where, why, what to do.

    `status` is the command line's exit status: 2 where nothing was begun.
    """

    status = 2
