"""A static site of the shop's figures: plain pages with charts, from queries on the marts."""
