"""The command line `ecommerce`: one parser, whose commands call the other packages."""
