"""Files that cannot be read are refused with the reason, and the hash follows content alone."""

from __future__ import annotations

import os

import pytest

from tests.settings.texts import SMALLEST, TWO
from watchdog.settings import ConfigurationRefused, hash_of, load, load_text
from watchdog.settings.loader import MOST_BYTES


def refusal(path):
    with pytest.raises(ConfigurationRefused) as refused:
        load(path, {})
    return refused.value


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "watchdog.yaml"
    path.write_text(SMALLEST)
    return path


def test_a_file_that_is_not_there_is_refused_and_never_read_as_defaults(tmp_path):
    error = refusal(tmp_path / "gone.yaml")
    assert str(error) == f"{tmp_path / 'gone.yaml'}: cannot be read: No such file or directory"


def test_a_directory_is_refused(tmp_path):
    assert "it is a directory" in str(refusal(tmp_path))


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "it is not a regular file" in str(refusal(tmp_path / "pipe"))


def test_a_file_that_may_not_be_read_is_refused(config):
    config.chmod(0)
    if os.access(config, os.R_OK):
        pytest.skip("this user may read everything")
    assert "Permission denied" in str(refusal(config))


def test_a_path_with_a_zero_byte_is_refused():
    assert "zero byte" in str(refusal("a\0b"))


def test_a_file_larger_than_the_cap_is_refused_unparsed(config):
    config.write_text(SMALLEST + "#" * MOST_BYTES)
    assert "is larger than 1 MiB" in str(refusal(config))


def test_a_file_of_just_the_cap_is_read(config):
    config.write_text(SMALLEST + "#" * (MOST_BYTES - len(SMALLEST)))
    assert load(config, {}).settings.targets


def test_utf_16_is_refused_and_a_byte_order_mark_of_utf_8_is_not(config):
    config.write_bytes(SMALLEST.encode("utf-16"))
    assert "is not UTF-8 text" in str(refusal(config))
    config.write_bytes(SMALLEST.encode("utf-8-sig"))
    assert load(config, {}).settings.targets


def test_the_same_content_has_the_same_hash_wherever_it_lies(config, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(SMALLEST)
    assert load(config, {}).source_hash == load(other, {}).source_hash == load_text(SMALLEST, {}).source_hash


def test_other_content_has_another_hash(config):
    before = load(config, {}).source_hash
    config.write_text(SMALLEST + "# a comment\n")
    assert load(config, {}).source_hash != before


def test_the_hash_can_be_watched_without_loading_again(config):
    loaded = load(config, {})
    assert hash_of(loaded.files) == loaded.source_hash
    config.write_text(SMALLEST + "\n")
    assert hash_of(loaded.files) != loaded.source_hash
    config.unlink()
    assert hash_of(loaded.files) != loaded.source_hash


def test_a_rotated_secret_changes_the_hash(config, tmp_path):
    token = tmp_path / "token"
    token.write_text("one")
    config.write_text(
        SMALLEST.replace('"http://api/health"', f'{{url: "http://api", headers: {{X-Token: {{file: {token}}}}}}}')
    )
    loaded = load(config, {})
    token.write_text("two")
    assert hash_of(loaded.files) != loaded.source_hash


def test_a_refused_file_has_a_hash_too_so_that_it_is_not_reported_twice(config):
    config.write_text("mode: enforced\n" + SMALLEST)
    error = refusal(config)
    assert error.source_hash == hash_of(error.files)


def test_a_refusal_is_a_value_error_with_one_line_a_problem_in_the_order_of_the_file():
    with pytest.raises(ValueError, match="mode") as refused:
        load_text("zzz: 1\nmode: x\nlog: 5\n" + SMALLEST, {}, name="w.yaml")
    lines = str(refused.value).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["w.yaml:1:1", "w.yaml:2:7", "w.yaml:3:6"]


def test_settings_cannot_be_changed_after_loading():
    settings = load_text(TWO, {"TOKEN": "x"}).settings
    with pytest.raises(ValueError, match="frozen"):
        settings.mode = "observe"
    with pytest.raises(ValueError, match="frozen"):
        settings.targets["api"].signals["health"].every = 1.0
