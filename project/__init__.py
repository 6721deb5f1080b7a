"""Shared by all packages: paths of the checkout and of runs, user errors, argument types."""
