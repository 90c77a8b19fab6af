"""What a transformation reads: the ref() and source() calls in its SQL and its tests."""

from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import Environment, TemplateSyntaxError, nodes

from etlfabric_core.graph.columns import Config
from etlfabric_core.graph.configs import ModelConfig, SnapshotConfig

# Templates are only parsed here, never rendered.
_JINJA = Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])  # noqa: S701


@dataclass(frozen=True)
class Reads:
    """Names of transformations, and (dataset, table) pairs."""

    refs: frozenset[str] = frozenset()
    sources: frozenset[tuple[str, str]] = frozenset()


def reads_of(config: Config) -> Reads:
    """What dbt will find out too, but at once and without dbt.

    Calls whose arguments are computed are not seen, and text that is no Jinja reads nothing:
    dbt speaks about both when the project is parsed.
    """
    if not isinstance(config, ModelConfig | SnapshotConfig):
        return Reads()
    singular = config.singular_tests if isinstance(config, ModelConfig) else ()
    texts = [
        config.sql,
        *(test.sql for test in singular),
        *(f"{{{{ {test.to} }}}}" for test in config.tests if test.to),
    ]
    calls = [call for text in texts for call in _calls(text)]
    return Reads(
        frozenset(arguments[-1] for name, arguments in calls if name == "ref"),
        frozenset(
            (arguments[0], arguments[1])
            for name, arguments in calls
            if name == "source" and len(arguments) == 2
        ),
    )


def _calls(text: str) -> Iterator[tuple[str, list[str]]]:
    try:
        tree = _JINJA.parse(text)
    except TemplateSyntaxError:
        return
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in ("ref", "source"):
            values = [item.value for item in call.args if isinstance(item, nodes.Const)]
            if values and len(values) == len(call.args):
                yield call.node.name, [str(value) for value in values]
