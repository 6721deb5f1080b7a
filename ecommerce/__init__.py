"""The command line `ecommerce`: one parser, whose commands call the other packages."""

import os

# tqdm reads these while it is imported, and a value of the wrong type ends the program there.
for _name in [name for name in os.environ if name.startswith("TQDM_")]:
    del os.environ[_name]
