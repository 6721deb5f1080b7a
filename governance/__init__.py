"""Who sees what: the access policy, its truth table, and the check of a live workspace."""
