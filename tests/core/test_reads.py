"""What SQL reads, seen without dbt."""

import pytest

from etlfabric_core.graph.configs import ModelConfig, PipelineConfig
from etlfabric_core.graph.reads import Reads, reads_of


@pytest.mark.parametrize(
    ("sql", "refs", "sources"),
    [
        ("select 1", set(), set()),
        ("select * from {{ ref('a') }} join {{ ref(\"b\") }}", {"a", "b"}, set()),
        ("select * from {{ ref('package', 'a') }}", {"a"}, set()),
        ("select * from {{ source('raw', 't') }}", set(), {("raw", "t")}),
        ("{% if x %}{{ ref('a') }}{% endif %}", {"a"}, set()),
        ("{# {{ ref('a') }} #} select 'ref(''b'')'", set(), set()),
        ("select * from {{ ref(name) }}", set(), set()),
        ("select {{ broken", set(), set()),
    ],
)
@pytest.mark.feature("G1")
def test_ref_and_source_are_found(sql: str, refs: set[str], sources: set[tuple[str, str]]) -> None:
    assert reads_of(ModelConfig(sql=sql)) == Reads(frozenset(refs), frozenset(sources))


def test_tests_read_too() -> None:
    config = ModelConfig.model_validate(
        {
            "sql": "select 1 as a",
            "tests": [{"type": "relationships", "column": "a", "to": "ref('b')", "field": "a"}],
            "singular_tests": [{"name": "t", "sql": "select * from {{ ref('c') }}"}],
        }
    )
    assert reads_of(config).refs == {"b", "c"}


def test_a_pipeline_reads_nothing() -> None:
    assert reads_of(PipelineConfig(mode="full_database")) == Reads()
