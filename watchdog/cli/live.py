"""Redraws a screen in place.

Role: ``watchdog status -w``. Guarantees: when the daemon stops answering, the last screen stays but is marked stale and
loses its colours, so that nobody reads an old green as a present one; piped, each changed screen is appended instead.
"""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.text import Text

from watchdog.cli.exits import Failed
from watchdog.cli.terminal import Terminal
from watchdog.cli.text import plain


def watch(terminal: Terminal, every_s: float, ask: Callable[[], list[str]]) -> None:
    """Ask and show every `every_s` seconds until Ctrl-C. The first question's failure is raised."""
    lines = ask()
    try:
        if terminal.interactive:
            _redraw(terminal, every_s, ask, lines)
        else:
            _append(terminal, every_s, ask, lines)
    except KeyboardInterrupt:
        return


def _redraw(terminal: Terminal, every_s: float, ask: Callable[[], list[str]], lines: list[str]) -> None:
    console = Console(force_terminal=True, color_system="standard" if terminal.colour else None, highlight=False)
    with Live(_text(lines), console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
        live.refresh()
        silent = 0.0
        while True:
            terminal.sleep(every_s)
            terminal.columns = console.width
            try:
                lines, silent = ask(), 0.0
                live.update(_text(lines), refresh=True)
            except Failed as error:
                silent += every_s
                live.update(_stale(lines, silent, error), refresh=True)


def _append(terminal: Terminal, every_s: float, ask: Callable[[], list[str]], lines: list[str]) -> None:
    terminal.write("\n".join(lines))
    while True:
        terminal.sleep(every_s)
        try:
            latest = ask()
        except Failed as error:
            latest = [f"STALE: {plain(error.message)}"]
        if latest != lines:
            lines = latest
            terminal.write("\n" + "\n".join(lines))


def _text(lines: list[str]) -> Text:
    text = Text.from_ansi("\n".join(lines))
    text.no_wrap = True
    text.overflow = "ellipsis"
    return text


def _stale(lines: list[str], silent_s: float, error: Failed) -> Text:
    text = Text(
        f"STALE for {silent_s:.0f} s: {plain(error.message)}\n", style="bold red", no_wrap=True, overflow="ellipsis"
    )
    return text.append(_text(lines).plain, style="dim")
