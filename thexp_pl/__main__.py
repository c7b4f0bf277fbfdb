"""``python -m thexp_pl`` is ``thexp-pl``."""

import sys

from thexp_pl.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
