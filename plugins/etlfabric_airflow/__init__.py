"""Airflow's side of ETL Fabric: bundle, factory, tasks. The only code that imports airflow."""
