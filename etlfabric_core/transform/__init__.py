"""The dbt runner: a rendered project in, tested tables and their results out."""
