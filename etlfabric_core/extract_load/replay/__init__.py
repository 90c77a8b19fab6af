"""Rejected rows, loaded through today's configuration: from `<table>__rejected` and out of it.

A replay reads the columns of the source and the rows of the quarantine. What is loaded leaves the
quarantine, and what is refused again gets its new reason there, in the transaction that completes
the load: killed at any moment, a row is loaded once and kept until then.
"""
