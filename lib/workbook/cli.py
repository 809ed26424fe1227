"""The command line: the same plan, apply, tables and pictures as in the notebooks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from workbook.errors import WorkbookError
from workbook.layers import BY_KEY


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Exit codes: 0 on success, 1 on a failure with a known cause, 2 on wrong usage, 130 when
    interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except WorkbookError as error:
        print(f"workbook: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nworkbook: interrupted; the state has what was done until then.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="workbook", description="Deploy, show and verify a secure AWS take-home.")
    parser.add_argument(
        "-e", "--environment", help="directory below terraform/environments (default: WORKBOOK_ENVIRONMENT, or dev)"
    )
    known = ", ".join(BY_KEY)
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, run: Callable[[argparse.Namespace], int | None], about: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=about, description=about)
        command.set_defaults(run=run)
        return command

    add("up", _up, "deploy everything and print the application's address")
    add("plan", _plan, "show what would change").add_argument(
        "layer", nargs="*", help=f"{known}; without one, everything"
    )
    add("apply", _apply, "plan, then apply that plan").add_argument("layer", nargs="*", help="as for plan")
    add("destroy", _destroy, "destroy everything in the state")
    add("tables", _tables, "show the live resources of a layer").add_argument("layer", help=known)
    claims = add("claims", _claims, "judge the take-home's claims on the live resources")
    claims.add_argument("--layer", action="append", help=f"{known} or general; may be repeated (default: all)")
    claims.add_argument("--format", choices=["table", "json", "junit", "html"], default="table")
    frameworks = add(
        "compliance", _compliance, "show which framework controls the claims support, and where the gaps are"
    )
    frameworks.add_argument("--framework", help="such as 'CIS AWS' or 'SOC 2' (default: all)")
    frameworks.add_argument("--format", choices=["table", "html"], default="table")
    diagram = add("diagram", _diagram, "draw a layer, or the architecture, from the live resources")
    diagram.add_argument("name", help=f"{known} or architecture")
    diagram.add_argument(
        "-o", "--output", type=Path, default=Path(), help="directory for the PNG and the SVG (default: here)"
    )
    add("doctor", _doctor, "show what is installed, which target, what is deployed")
    walk = add("walkthrough", _walkthrough, "execute every notebook and keep a page of each")
    walk.add_argument("notebook", nargs="*", type=Path, help="notebooks to execute (default: all, in order)")
    container = add("container", _container, "run the container of the deployed task definition on this machine")
    container.add_argument("action", choices=["run"], help="run: until Ctrl-C, with its log")
    container.add_argument(
        "--interval",
        type=int,
        metavar="SECONDS",
        help="seconds between two checks of the bucket (default: as deployed)",
    )
    checkpoint = add("checkpoint", _checkpoint, "save the embedded account as it is, and return to it later")
    checkpoint.add_argument("action", choices=["list", "save", "restore", "drop"])
    checkpoint.add_argument("name", nargs="?", default="", help="name of the checkpoint; not needed for list")
    add("lab", _lab, "open JupyterLab on the first notebook")
    add("clean", _clean, "remove what runs have written, if nothing is deployed")
    return parser


def _open(options: argparse.Namespace):  # type: ignore[no-untyped-def]
    from workbook.workbook import open_workbook

    return open_workbook(options.environment)


def _up(options: argparse.Namespace) -> None:
    wb = _open(options)
    wb.deploy()
    print(wb.outputs()["application_url"])


def _plan(options: argparse.Namespace) -> None:
    print(_open(options).plan(*options.layer).rendered().text)


def _apply(options: argparse.Namespace) -> None:
    wb = _open(options)
    wb.apply(wb.plan(*options.layer))


def _destroy(options: argparse.Namespace) -> None:
    _open(options).destroy()


def _tables(options: argparse.Namespace) -> None:
    print(_open(options).tables(options.layer).text)


def _claims(options: argparse.Namespace) -> int:
    from workbook.claims import judge
    from workbook.compliance import export

    wb = _open(options)
    results = judge(wb.inventory(), options.layer, wb.target.kind)
    forms = {
        "table": lambda: results.rendered().text,
        "json": lambda: export.to_json(results),
        "junit": lambda: export.to_junit(results),
        "html": lambda: export.to_html(results),
    }
    print(forms[options.format]())
    return int(bool(results.failed))


def _compliance(options: argparse.Namespace) -> None:
    from workbook import compliance
    from workbook.claims import judge

    wb = _open(options)
    results = judge(wb.inventory(), None, wb.target.kind)
    print(
        compliance.to_html(results)
        if options.format == "html"
        else compliance.rendered(results, options.framework).text
    )


def _diagram(options: argparse.Namespace) -> None:
    from workbook.diagram import render

    for path in render.save(_open(options).diagram(options.name), options.output, options.name):
        print(path)


def _doctor(options: argparse.Namespace) -> int:
    from workbook.doctor import doctor

    return doctor()


def _walkthrough(options: argparse.Namespace) -> int:
    from workbook.notebooks.walkthrough import walkthrough

    return walkthrough(options.notebook or None)


def _container(options: argparse.Namespace) -> int:
    from workbook import container

    wb = _open(options)
    environment = {"CHECK_INTERVAL": str(options.interval)} if options.interval is not None else None
    return container.follow(container.run(wb.inventory(), wb.target, environment=environment))


def _checkpoint(options: argparse.Namespace) -> None:
    wb = _open(options)
    if options.action == "list":
        print(wb.checkpoints().text)
        return
    if not options.name:
        raise WorkbookError(f"Name the checkpoint to {options.action}.", "workbook checkpoint list shows them.")
    if options.action == "drop":
        wb.deployment.drop(options.name)
        print(f"Dropped {options.name}.")
    else:
        print((wb.checkpoint if options.action == "save" else wb.restore)(options.name).text)


def _lab(options: argparse.Namespace) -> int:
    from workbook.notebooks.lab import lab

    return lab()


def _clean(options: argparse.Namespace) -> int:
    from workbook.doctor import clean

    return clean()
