"""What every package shares: where the checkout and a run's files are, and errors of the user."""
