"""From dbt's and PostgreSQL's line numbers back to the user's."""

import pytest

from etlfabric_core.transform.lines import cleaned, problem_of, source_line, sql_line

RAW = "{% set a = 1 %}\nselect id,\n  {{ a }} as a\nfrom {{ ref('x') }}\nwhere b = 1"
COMPILED = '\nselect id,\n  1 as a\nfrom "w"."s"."x"\nwhere b = 1'


@pytest.mark.parametrize(
    ("line", "expected"), [(2, 2), (3, 3), (4, 4), (5, 5), (6, None), (0, None)]
)
def test_lines_that_jinja_changed_are_found_by_their_neighbours(line, expected) -> None:
    assert source_line(RAW, COMPILED, line) == expected


def test_a_loop_makes_many_lines_of_one() -> None:
    raw = "select\n{% for n in [1,2,3] %}\n  {{ n }} as c{{ n }},\n{% endfor %}\n  oops\nfrom t"
    compiled = "select\n\n  1 as c1,\n\n  2 as c2,\n\n  3 as c3,\n\n  oops\nfrom t"
    assert source_line(raw, compiled, 9) == 5
    assert 2 <= (source_line(raw, compiled, 5) or 0) <= 4


def test_the_statement_that_dbt_wraps_around_is_subtracted() -> None:
    executed = f"\n\n  create table x as (\n    {COMPILED}\n  );"
    line = executed[: executed.index("where b")].count("\n") + 1
    message = f'column "b" does not exist\n  LINE {line}: where b = 1'
    assert sql_line(message, executed, COMPILED, RAW) == 5


def test_a_message_without_a_line_has_none() -> None:
    assert sql_line("division by zero", COMPILED, COMPILED, RAW) is None


def test_paths_of_the_machine_are_taken_out() -> None:
    text = "Oops in /tmp/etlfabric-x/project/models/a.sql\n  compiled code at /tmp/t/a.sql\nend"
    assert cleaned(text) == "Oops in a.sql\nend"


def test_a_word_in_two_nodes_names_neither() -> None:
    files = {"models/a.sql": "x", "models/b.sql": "x"}
    assert problem_of("no 'x' here", files).node is None
    assert problem_of("no 'x' here", {"models/a.sql": "1\nx"}).line == 2
