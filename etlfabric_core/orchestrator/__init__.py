"""The door to the scheduler: a protocol, and Airflow's REST API behind it."""
