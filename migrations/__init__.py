"""The metadata database: how it comes to be, and how its tables change."""
