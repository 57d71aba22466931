"""Shell completion for the command ``vo``, as scripts made from its parser, so that pressing Tab runs no program."""

import argparse

__all__ = ["SHELLS", "completion_script"]

SHELLS = ("bash", "zsh", "fish")


def completion_script(parser, shell):
    """Make the script with which a shell completes verbs, actions, options and choices.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Parser of the command.
    shell : str
        One of `SHELLS`.

    Returns
    -------
    str
    """
    words = _words(parser)
    return _fish(parser.prog, words) if shell == "fish" else _bash(parser.prog, words, zsh=shell == "zsh")


def _words(parser, path=()):
    """Collect the words that may follow each verb and action, in a dict by the tuple of the words before."""
    found = {path: []}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found[path] += action.choices
            for name, below in action.choices.items():
                found |= _words(below, (*path, name))
        else:
            found[path] += action.option_strings
            found[path] += map(str, action.choices or ())
    return found


def _bash(prog, words, *, zsh):
    """Make the script for bash, or for zsh with its emulation of bash completion."""
    longest = max(map(len, words))
    cases = "\n".join(f'        "{" ".join(path)}") words="{" ".join(names)}" ;;' for path, names in words.items())
    head = "autoload -U +X bashcompinit && bashcompinit\n" if zsh else ""
    return f"""{head}_{prog}() {{
    local words="" path="" depth word
    for ((depth = 1; depth <= {longest} && depth < COMP_CWORD; depth++)); do
        word="${{COMP_WORDS[depth]}}"
        [[ "$word" == -* ]] && break
        path="${{path:+$path }}$word"
    done
    while :; do
        case "$path" in
{cases}
        esac
        [[ -n "$words" || "$path" != *" "* ]] && break
        path="${{path% *}}"
    done
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _{prog} {prog}
"""


def _fish(prog, words):
    """Make the script for fish."""
    lines = []
    for path, names in words.items():
        seen = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in path) or "__fish_use_subcommand"
        lines.append(f"complete -c {prog} -n '{seen}' -a '{' '.join(names)}'")
    return "\n".join(lines) + "\n"
