"""The domain of ETL Fabric: no Airflow, no Cosmos, no web framework."""
