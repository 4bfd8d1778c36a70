"""What others catch: errors that a command tells in one sentence, and a warning of NaN to come."""


class UserError(Exception):
    """Something that the reader of its message can mend; it says what, where, why, what to do.

    `status` is the command line's exit status: 2 where nothing was begun.
    """

    status = 2


class DivergenceWarning(RuntimeWarning):
    """SGD will diverge on the penalty; `search_strength` ends such a run."""
