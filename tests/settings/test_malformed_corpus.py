"""Every malformed configuration of the corpus gives exactly the problems that its first lines name, at their places."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from watchdog.settings import ConfigurationRefused, Problem, load

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.yaml"))
EXPECT = re.compile(r"# expect: (\d+)(?::(\d+))? (.*?): (.+)")


def expected_of(path: Path) -> list[tuple[int, int, str, str]]:
    lines = path.read_bytes().decode("utf-8", "replace").splitlines()
    found = [EXPECT.fullmatch(line) for line in lines if line.startswith("# expect:")]
    assert found and all(found), f"{path.name} does not say what to expect"
    return [(int(m[1]), int(m[2] or 0), m[3], m[4]) for m in found if m is not None]


def fits(problem: Problem, line: int, column: int, where: str, fragment: str) -> bool:
    place = problem.line == line and column in (0, problem.column)
    return place and problem.path == where and fragment in f"{problem.message} ({problem.hint})"


def test_the_corpus_has_at_least_eighty_files():
    assert len(CORPUS) >= 80


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_a_malformed_file_names_all_its_errors_at_the_right_places_and_nothing_else(path):
    with pytest.raises(ConfigurationRefused) as refused:
        load(path, {})
    problems = list(refused.value.problems)
    report = f"\n{refused.value}"
    for line, column, where, fragment in expected_of(path):
        matching = [problem for problem in problems if fits(problem, line, column, where, fragment)]
        assert matching, f"nothing at {line}:{column} {where}: {fragment}{report}"
        problems.remove(matching[0])
    assert not problems, f"more than expected: {problems}{report}"
    assert all(str(problem).startswith(f"{path}:") for problem in refused.value.problems)
    assert "Traceback" not in str(refused.value)
