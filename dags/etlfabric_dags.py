"""The DAGs of one workflow; every entry file of the bundle has exactly these bytes."""

from etlfabric_airflow.factory import register

register(globals(), __file__)
