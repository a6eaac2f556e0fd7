"""Every example that is shipped is taken as it stands, without a warning that it does not itself explain."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchdog.model import Mode
from watchdog.settings import CommandPrograms, KubernetesWorkload, configured, load, load_text, windows

CONFIG = Path(__file__).parents[2] / "config"
EXAMPLES = sorted(CONFIG.glob("*.yaml"))


def test_the_examples_are_there():
    assert {path.name for path in EXAMPLES} >= {"azure.yaml", "bookstore.yaml", "command.yaml"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_taken_without_a_warning(path):
    loaded = load(path, {})
    assert [warning.path for warning in loaded.warnings if not warning.path.endswith(".order")] == []
    assert configured(loaded.settings)


def test_the_bookstore_is_two_deployments_that_go_back_together_and_only_observes():
    settings = load(CONFIG / "bookstore.yaml", {}).settings
    targets = configured(settings)
    assert [(target.platform.namespace, target.platform.kind, target.platform.name) for target in targets] == [
        ("bookstore", "Deployment", "bookstore-api"),
        ("bookstore", "Deployment", "bookstore-web"),
    ]
    assert all(isinstance(target.platform, KubernetesWorkload) for target in targets)
    assert {target.policy.group for target in targets} == {"bookstore"}
    assert {target.policy.mode for target in targets} == {Mode.OBSERVE}
    assert {signal.kind for target in targets for signal in target.signals} == {"http", "workload"}
    assert list(settings.notify) == ["team"]


def test_what_the_bookstore_has_commented_out_is_right_as_well():
    text = (CONFIG / "bookstore.yaml").read_text(encoding="utf-8")
    window = text.replace("# pauses:", "pauses:").replace("#   - {scope", "  - {scope")
    assert window != text
    assert len(windows(load_text(window, {}).settings)) == 2


def test_the_command_example_has_three_programs_and_a_dependency_that_is_only_watched():
    bookstore, postgres = configured(load(CONFIG / "command.yaml", {}).settings)
    assert isinstance(bookstore.platform, CommandPrograms)
    assert bookstore.policy.depends_on == ("postgres",)
    assert postgres.policy.watch_only
