"""Gold for assistants that speak the Model Context Protocol, to read only."""
