"""The main job on one machine, its summary, its clean-up, and the check of published figures."""
