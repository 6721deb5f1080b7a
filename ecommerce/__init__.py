"""The command line `ecommerce`: one parser, whose commands call the other packages."""

import os
import sys
import warnings

# tqdm reads these while it is imported, and a value of the wrong type ends the program there.
for _name in [name for name in os.environ if name.startswith("TQDM_")]:
    del os.environ[_name]

# Warnings of libraries as errors, asked for by PYTHONWARNINGS, would print tracebacks.
if sys.warnoptions:
    warnings.resetwarnings()
    for _category in (
        DeprecationWarning,
        PendingDeprecationWarning,
        ImportWarning,
        ResourceWarning,
    ):
        warnings.simplefilter("ignore", _category)
