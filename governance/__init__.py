"""Who sees what: the policy as one table, and the check of a workspace against it."""
