"""``make bench``: measures sockhop beside plain TCP, plain redirect and Unix sockets, in one run."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.main import main

if __name__ == "__main__":
    sys.exit(main())
