"""`python -m ecommerce`: the same as the console script `ecommerce`."""

import sys

from ecommerce.cli import main

sys.exit(main())
