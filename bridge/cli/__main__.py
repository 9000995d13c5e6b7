"""`python -m bridge.cli` is `bridge`."""

import sys

from bridge.cli import main

sys.exit(main())
