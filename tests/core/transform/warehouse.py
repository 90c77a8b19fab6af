"""A warehouse as it is provisioned: roles that own schemas and may create none, and two tenants."""

import uuid

from etlfabric_core.transform.project import ProjectSource

CANARY = f"CANARY_{uuid.uuid4().hex}"
PASSWORD = f"pw_{uuid.uuid4().hex}"
FLIGHTS = ProjectSource("raw", "demo_raw", ("carriers", "flights"), "load_flights")

WAREHOUSE = f"""
CREATE ROLE org_demo LOGIN PASSWORD '{PASSWORD}' NOINHERIT;
CREATE ROLE org_rival LOGIN PASSWORD '{CANARY}' NOINHERIT;
CREATE DATABASE transform_tests;
REVOKE ALL ON DATABASE transform_tests FROM PUBLIC;
REVOKE CONNECT ON DATABASE postgres FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE transform_tests TO org_demo, org_rival;
"""
SCHEMAS = f"""
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA demo_raw AUTHORIZATION org_demo;
CREATE SCHEMA demo_marts AUTHORIZATION org_demo;
CREATE SCHEMA demo_test_failures AUTHORIZATION org_demo;
CREATE SCHEMA rival_raw AUTHORIZATION org_rival;
CREATE TABLE rival_raw.secrets AS SELECT '{CANARY}'::text AS secret;
ALTER TABLE rival_raw.secrets OWNER TO org_rival;
"""
FRESH_FLIGHTS = """
DROP SCHEMA demo_raw, demo_marts, demo_test_failures CASCADE;
CREATE SCHEMA demo_raw AUTHORIZATION org_demo;
CREATE SCHEMA demo_marts AUTHORIZATION org_demo;
CREATE SCHEMA demo_test_failures AUTHORIZATION org_demo;
CREATE TABLE demo_raw.carriers (code text, name text);
INSERT INTO demo_raw.carriers VALUES ('AA', 'American'), ('UA', 'United');
CREATE TABLE demo_raw.flights (id int, carrier text, delay int, updated_at timestamp);
INSERT INTO demo_raw.flights VALUES
    (1, 'AA', 5, '2013-01-01'), (2, 'UA', -3, '2013-01-01'), (3, 'ZZ', NULL, '2013-01-01');
ALTER TABLE demo_raw.carriers OWNER TO org_demo;
ALTER TABLE demo_raw.flights OWNER TO org_demo;
"""
