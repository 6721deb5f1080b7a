"""The `ecommerce` command: one parser that hands each command to the package that does the work."""
