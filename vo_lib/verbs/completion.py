"""Print a completion script for the verbs, options and choices of this command.

For example:

    vo completion bash

In bash: `vo completion bash > ~/.local/share/bash-completion/completions/vo`; in zsh:
`eval "$(vo completion zsh)"` in ~/.zshrc; in fish: `vo completion fish > ~/.config/fish/completions/vo.fish`.
"""

from vo_lib.completion import SHELLS, completion_script
from vo_lib.verbs import Verb

__all__ = ["VERB"]


def add_arguments(parser):
    """Add the arguments of the verb."""
    parser.add_argument("shell", choices=SHELLS, help="the shell")


def run(_, arguments):
    """Print the script."""
    from vo_lib.cli import make_parser

    print(completion_script(make_parser(), arguments.shell), end="")
    return 0


VERB = Verb(
    "completion",
    "print a completion script for bash, zsh or fish",
    __doc__,
    add_arguments,
    run,
    read=lambda *_: None,
)
