"""`bridge backend init`: making what a backend needs in its target.

Rule: what is made is the plugin's affair; a backend that makes nothing says so.
"""

from bridge.cli.common import COMMON, Common
from bridge.cli.output import write_rows
from bridge.core.errors import BackendDown, NotApplied, OperatorError


def init(name: str, *, common: Common = COMMON) -> int:
    """Make what a backend needs in its target, or migrate it; again does no harm.

    Exit code 1: it cannot be made. 3: the target cannot be reached.

    Parameters
    ----------
    name
        The backend's name in the configuration.
    """
    from bridge.hosting import host
    from bridge.plugin import Preparer

    hosted = {one.name: one for one in host(common.load())}
    if name not in hosted:
        raise OperatorError(
            "BRG-CONFIG-BACKEND",
            f"The configuration has no backend named {name}.",
            f"Known are {', '.join(hosted) or 'none'}.",
        )
    backend = hosted[name].open()
    try:
        if not isinstance(backend, Preparer):
            raise OperatorError(
                "BRG-BACKEND-INIT",
                f"A backend of type {hosted[name].type.name} needs nothing made in its target.",
                "Look at the target with `bridge check`.",
            )
        rows = [{"code": found.code, "message": found.message} for found in backend.prepare()]
    except NotApplied as error:
        down = isinstance(error, BackendDown)
        code = "BRG-REACH-BACKEND" if down else "BRG-CHECK-REFUSED"
        write_rows(
            [{"code": code, "message": error.reason}], ("code", "message"), as_json=common.json
        )
        return 3 if down else 1
    finally:
        backend.close()
    write_rows(rows, ("code", "message"), as_json=common.json)
    return 0
