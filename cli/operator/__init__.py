"""Commands for whoever runs an installation: they work on the metadata database itself."""
