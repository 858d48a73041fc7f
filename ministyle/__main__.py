"""`python -m ministyle`."""

import sys

from .cli import main

sys.exit(main())
