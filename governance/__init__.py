"""Who sees what: the access policy as one table, and the check of a workspace against it."""
