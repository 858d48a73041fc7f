"""`python -m ministyle`."""

import sys

from .command import main

sys.exit(main())
