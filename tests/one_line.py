"""What bad input may end in."""

from contextlib import contextmanager

from vo_lib.errors import LONGEST, UserError, plain


@contextmanager
def or_one_line(*kinds, contains=""):
    """Let a block succeed, or end in an error for the user, or of other kinds, in one line of limited length."""
    said = None
    try:
        yield
    except (UserError, *kinds) as error:
        said = str(error) if isinstance(error, UserError) else plain(str(error))  # others become part of one
    if said is not None:
        assert said == plain(said)
        assert 0 < len(said) <= LONGEST
        assert contains in said, said
