"""What checking one result costs at 100 and 10 000 results: see `registry.py`."""

import sys

from registry import main

if __name__ == "__main__":
    sys.exit(main())
