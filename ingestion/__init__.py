"""Landing zone to bronze: event schema, generator, local loader and the command line."""
