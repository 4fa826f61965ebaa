"""``logs``: what a run wrote."""

from __future__ import annotations

import click

from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App, shown_path
from wfexs_like.cli.options import workdir_argument
from wfexs_like.cli.render import plain, size, styled


@click.command("logs", cls=VerbCommand)
@workdir_argument
@click.argument("run", type=click.IntRange(min=1), required=False)
@click.option("--tail", type=click.IntRange(min=1), metavar="N", help="Only the last N lines of each file.")
@click.pass_obj
def command(app: App, workdir: str, run: int | None, tail: int | None) -> None:
    """Of the last run, or the one numbered RUN. With --json the files' paths and sizes are told, not their text.

    A report that the engine made (HTML, a table, a graph) is named, not printed.
    """
    from wfexs_like.cli.running import is_log, last_lines

    with app.session.opened(workdir) as found:
        paths = app.session.logs(found, run)
        if app.options.json:
            files = [{"path": shown_path(path), "size": path.stat().st_size} for path in paths]
            number = run if run is not None else max(found.runs(), default=None)
            app.emit("logs", {"run": number, "files": files}, str)
            return
        for path in sorted(paths, key=is_log):
            app.write(styled(f"==> {shown_path(path)} <==", "bold", colour=app.colour))
            if not is_log(path):
                app.write(f"(a report: {size(path.stat().st_size)})")
                continue
            if tail is not None:
                app.write("\n".join(last_lines(path, tail)))
                continue
            with path.open(encoding="utf-8", errors="backslashreplace") as stream:
                for line in stream:
                    app.write(plain(line))
    app.emitted = True
