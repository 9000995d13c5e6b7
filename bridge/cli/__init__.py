"""The command line: `bridge …`.

Exit codes: 0 done, 1 a problem was found, 2 wrong usage, 3 something cannot be reached. An error
is one line on standard error, `CODE: problem. Next: step.`, never a traceback; with `--json` it
is also an object on standard output.

Rule: commands are thin and import what is heavy only when they run.
"""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from bridge import __version__
from bridge.core.errors import OperatorError

DONE, PROBLEM, USAGE, UNREACHABLE = range(4)
INTERRUPTED = 130

_EXIT_CODES = {
    "BRG-USAGE": USAGE,
    "BRG-REACH-BRIDGE": UNREACHABLE,
    "BRG-REACH-BACKEND": UNREACHABLE,
    "BRG-JOURNAL-UNREACHABLE": UNREACHABLE,
}

TRACEBACK = "BRIDGE_TRACEBACK"
"""Environment variable: set to anything, an unforeseen error is shown with its traceback."""

_COMMANDS = {
    "quickstart": ("starting:quickstart", "Set up a bridge in a folder and serve it."),
    "init": ("starting:init", "Write a commented configuration file."),
    "serve": ("starting:serve", "Serve SCIM and deliver to the backends."),
    "worker": ("starting:worker", "Deliver to the backends, beside other processes."),
    "check": ("inspecting:check", "Look at configuration, journal and backends; change nothing."),
    "org": ("tenants:org", "Organizations."),
    "connection": ("tenants:connection", "Connections of identity providers."),
    "token": ("tenants:token", "API tokens of connections."),
    "account": ("people:account", "People who administer."),
    "client": ("people:client", "Identity providers that connect by OAuth 2.0."),
    "admin": ("admins:admin", "Tokens for the admin API."),
    "workspace": ("places:workspace", "Workspaces."),
    "folder": ("places:folder", "Folders of workspaces."),
    "grant": ("access:grant", "Levels on workspaces and folders, for groups and users."),
    "access": ("access:access", "Who has access to what, and why."),
    "backend": ("delivering:backend", "Backends: state, lag, pause, resume."),
    "deliveries": ("delivering:deliveries", "What is not delivered yet, and what to do about it."),
    "plan": ("planning:plan", "Show what would be written to a backend next."),
    "import": ("reconciling:import_", "Make resources of what a target holds already."),
    "reconcile": ("reconciling:reconcile", "Show how a target differs, and put it right."),
    "db": ("db:db", "The journal: upgrade, check, backup, restore, copy."),
    "simulate": ("simulate:app", "Play an identity provider against a running bridge."),
    "explain": ("inspecting:explain", "Explain an error code."),
    "config": ("inspecting:config", "The configuration in effect, and its schema."),
    "plugin": ("plugins:plugin", "Backend plugins: list them, make one, try one."),
}


def app() -> App:
    """Return the command line; a command's module is imported when the command is used."""
    cli = App(
        name="bridge",
        help="Directory Bridge: identity-provider changes, delivered to every directory.",
        version=__version__,
        help_formatter="plain",
        help_format="plaintext",
    )
    for name, (place, summary) in _COMMANDS.items():
        cli.command(f"bridge.cli.{place}", name=name, help=summary)
    return cli


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        result = app()(words, exit_on_error=False, print_error=False, result_action="return_value")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PROBLEM
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        errors, code = _explained(error)
        return _fail(errors, words, code)
    return result if isinstance(result, int) else DONE


def _explained(error: Exception) -> tuple[list[OperatorError], int]:
    match error:
        case CycloptsError():
            problem = " ".join(str(error).split()).rstrip(".")
            return [OperatorError("BRG-USAGE", f"{problem}.", "Add --help.")], USAGE
        case OperatorError():
            return [error], _EXIT_CODES.get(error.code, PROBLEM)
        case ExceptionGroup() if error.split(OperatorError)[1] is None:
            return [one for one in error.exceptions if isinstance(one, OperatorError)], PROBLEM
        case _:
            problem = f"Unforeseen {type(error).__name__}: {error}."
            next_step = f"Set {TRACEBACK}=1, run the command again and report what it prints."
            return [OperatorError("BRG-INTERNAL", problem, next_step)], PROBLEM


def _fail(errors: Sequence[OperatorError], words: Sequence[str], code: int) -> int:
    for error in errors:
        print(error, file=sys.stderr)  # noqa: T201
    if "--json" in words:
        from bridge.cli.output import write_json

        write_json(
            {
                "errors": [
                    {"code": e.code, "problem": e.problem, "next_step": e.next_step} for e in errors
                ]
            }
        )
    return code
