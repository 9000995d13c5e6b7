"""Do what a chapter of the documentation says, word for word, in an empty folder.

    python scripts/run_chapter.py docs/tutorial/write-a-backend.md FOLDER

A block below `<!-- file: FOLDER/NAME -->`, where FOLDER is the chapter's example, is written to
NAME; the lines of a `console` block that begin with `$ ` are run, in one shell from beginning to
end. The first command that fails ends it.

Rule: nothing is run that the page does not say.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

BLOCK = re.compile(
    r"(?:<!-- file: examples/[^/]+/(?P<file>\S+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)```",
    re.DOTALL,
)


def script(page: str) -> Iterator[str]:
    """Return the page as lines of a shell script."""
    yield "set -euo pipefail"
    for block in BLOCK.finditer(page):
        text = block["text"]
        if file := block["file"]:
            yield f"mkdir -p {shlex.quote(str(Path(file).parent))}"
            yield f"printf %s {shlex.quote(text)} > {shlex.quote(file)}"
        elif block["language"] == "console":
            for line in text.splitlines():
                if line.startswith("$ "):
                    yield f"echo {shlex.quote(line)}"
                    yield line.removeprefix("$ ")


def main(page: str, folder: str) -> int:
    """Run the chapter; return the exit code of the shell."""
    lines = "\n".join(script(Path(page).read_text(encoding="utf-8")))
    return subprocess.run(["bash", "-c", lines], cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
