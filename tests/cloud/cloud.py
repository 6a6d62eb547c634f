#!/usr/bin/env python3
"""Command line of the local cloud."""
import sys
from pathlib import Path

# Run as a script, this file would shadow the package of the same name.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cloud.server import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
