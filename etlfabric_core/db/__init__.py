"""The metadata database: engine, sessions, and the choke point that keeps organizations apart."""
