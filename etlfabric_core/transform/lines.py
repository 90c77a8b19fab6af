"""Finds the node and the user's own line in what dbt and PostgreSQL say."""

import re
from collections.abc import Mapping
from dataclasses import replace
from difflib import SequenceMatcher

from etlfabric_core.errors import Problem

_FILE = re.compile(r"\b(models|snapshots|tests)/(\w+)\.sql")
_JINJA_LINE = re.compile(r"^\s*line (\d+)\s*$", re.MULTILINE)
_SQL_LINE = re.compile(r"^\s*LINE (\d+):", re.MULTILINE)
_COMPILED_AT = re.compile(r"^\s*compiled code at .*$\n?", re.MULTILINE)
_QUOTED = re.compile(r"'([\w.]+)'")
_PATHS = re.compile(r"(?<![\w.])/(?:[\w.@+~-]+/)+")


def problem_of(message: str, files: Mapping[str, str]) -> Problem:
    """dbt's message without our paths, with the node and the line that it speaks of."""
    path = _FILE.search(message)
    line = _JINJA_LINE.search(message)
    problem = Problem(cleaned(message), line=int(line.group(1)) if line else None)
    if path:
        text = files.get(path.group(), "")
        return _placed(_located(problem, {path.group(): text}), path)
    users = {name: text for name, text in files.items() if _FILE.fullmatch(name)}
    return _located(problem, users)


def _placed(problem: Problem, path: re.Match[str]) -> Problem:
    """With the node of a file; a singular test's file is `<node>__<test>.sql`."""
    slug, _, test = path.group(2).partition("__")
    return replace(problem, node=slug, field=f"test {test}" if test else None)


def _located(problem: Problem, files: Mapping[str, str]) -> Problem:
    """dbt often says only what it did not find: look for that word in the SQL."""
    for word in _QUOTED.findall(problem.message):
        mention = re.compile(rf"(?<!\w){re.escape(word.split('.')[-1])}(?!\w)")
        found = [
            (name, number)
            for name, text in files.items()
            for number, line in enumerate(text.splitlines(), 1)
            if mention.search(line)
        ]
        path = _FILE.fullmatch(found[0][0]) if len({name for name, _ in found}) == 1 else None
        if path:
            return _placed(replace(problem, line=problem.line or found[0][1]), path)
    return problem


def cleaned(message: str) -> str:
    """The message without directories and without the place of compiled files."""
    return _PATHS.sub("", _COMPILED_AT.sub("", message)).strip()


def sql_line(message: str, executed: str, compiled: str, raw: str) -> int | None:
    """The user's line for PostgreSQL's `LINE n:` of an executed statement."""
    match = _SQL_LINE.search(message)
    start = executed.find(compiled.strip()) if compiled.strip() else -1
    if match is None or start < 0:
        return None
    lead = len(compiled) - len(compiled.lstrip())
    before = executed[:start].count("\n") - compiled[:lead].count("\n")
    return source_line(raw, compiled, int(match.group(1)) - before)


def source_line(raw: str, compiled: str, line: int) -> int | None:
    """The line of `raw` that line `line` of `compiled` was made from; None if it is outside."""
    raw_lines, compiled_lines = raw.splitlines(), compiled.splitlines()
    if not 1 <= line <= max(len(compiled_lines), 1):
        return None
    matcher = SequenceMatcher(None, compiled_lines, raw_lines, autojunk=False)
    for _, start, end, raw_start, raw_end in matcher.get_opcodes():
        if start < line <= end:
            return min(raw_start + (line - start), max(raw_end, raw_start + 1))
    return None
