"""The `etlfabric` command as a client of the metadata service, over HTTP only."""
