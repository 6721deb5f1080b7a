"""Brings files into bronze: the event schema, the local loader, Auto Loader and the upload."""
