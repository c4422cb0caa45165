"""``python -m tests.simulation``; all of it stands in ``command``, which the processes of ``--jobs`` can import too."""

from __future__ import annotations

import sys

from tests.simulation.command import main

if __name__ == "__main__":
    sys.exit(main())
