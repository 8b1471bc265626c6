"""``opwright completion``: the script that makes a shell complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from opwright.cli.output import examples

_VARIABLE = "_OPWRIGHT_COMPLETE"  # click's own name for it
_INSTALL = {
    "bash": """put  eval "$(opwright completion bash)"  into ~/.bashrc""",
    "zsh": """put  eval "$(opwright completion zsh)"  into ~/.zshrc, below compinit""",
    "fish": "opwright completion fish > ~/.config/fish/completions/opwright.fish",
}


@click.command(
    short_help="Print a script that completes commands in a shell.",
    epilog=examples("opwright completion fish | source", 'eval "$(opwright completion bash)"'),
)
@click.argument("shell", type=click.Choice(list(_INSTALL)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script by which SHELL completes commands, options, statuses, and the triggers of a TARGET.

    The last line of the script says how to install it. To name triggers the TARGET is imported; no database is asked.
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click knows these three
    script = kind(context.find_root().command, {}, "opwright", _VARIABLE).source()
    click.echo(f"{script.rstrip()}\n\n# To install: {_INSTALL[shell]}")
