"""From rows to the documents that Airflow's side reads."""
