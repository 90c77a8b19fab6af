"""The local stack: embedded PostgreSQL, Airflow and the metadata service, supervised."""
