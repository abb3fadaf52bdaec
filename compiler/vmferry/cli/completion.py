"""`vmferry completion`: print the completion script for a shell."""

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print the completion script of a SHELL.

    \b
    Examples:
      source <(vmferry completion bash)
      vmferry completion fish > ~/.config/fish/completions/vmferry.fish
    """  # noqa: D301 - click wants the character
    from vmferry.cli import main

    kind = get_completion_class(shell)
    if kind is None:  # pragma: no cover: click knows all three
        raise click.UsageError(f"No completion for {shell}.")
    click.echo(kind(main, {}, "vmferry", "_VMFERRY_COMPLETE").source())
    return 0
