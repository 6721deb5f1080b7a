"""The pages: each module has `build`, which turns tables into what the page shows."""
