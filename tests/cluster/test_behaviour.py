"""The grammar of image tags."""

from math import inf

import pytest

from tests.cluster.node.behaviour import (
    DEPENDENCY_DOWN,
    Behaviour,
    UnknownBehaviourError,
    behaviour_of,
    image_id,
    tag_of,
    version_of,
)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("bookstore", Behaviour()),
        ("bookstore:1.0", Behaviour()),
        ("bookstore:2.0-err30", Behaviour(error_share=0.3)),
        ("bookstore:2.0-err", Behaviour(error_share=1.0)),
        ("bookstore:2.0-err50-after10-until20", Behaviour(error_share=0.5, error_from=10, error_until=20)),
        ("bookstore:2.0-blip10", Behaviour(error_share=1.0, error_until=10)),
        ("bookstore:2.0-slow200", Behaviour(delay=0.2)),
        ("bookstore:2.0-unready", Behaviour(ready_after=inf)),
        ("bookstore:2.0-slowready5", Behaviour(ready_after=5)),
        ("bookstore:2.0-dep", Behaviour(depends_on=DEPENDENCY_DOWN)),
        ("bookstore:2.0-crash", Behaviour(ends_after=2, exit_code=1, exit_reason="Error")),
        ("bookstore:2.0-crash0", Behaviour(ends_after=0, exit_code=1, exit_reason="Error")),
        ("bookstore:2.0-oom3", Behaviour(ends_after=3, exit_code=137, exit_reason="OOMKilled")),
        ("bookstore:2.0-pull", Behaviour(never_starts="ImagePullBackOff")),
    ],
)
def test_options_of_a_tag_add_up_to_a_behaviour(image: str, expected: Behaviour) -> None:
    assert behaviour_of(image) == expected


def test_an_unknown_option_is_refused_and_not_taken_for_health() -> None:
    with pytest.raises(UnknownBehaviourError, match="no behaviour 'expode'"):
        behaviour_of("bookstore:2.0-expode")


@pytest.mark.parametrize(
    ("image", "tag", "version"),
    [
        ("bookstore", "latest", "latest"),
        ("bookstore:2.0-err30", "2.0-err30", "2.0"),
        ("registry.example.com:5000/shop/bookstore", "latest", "latest"),
        ("registry.example.com:5000/shop/bookstore:2.0", "2.0", "2.0"),
        ("bookstore:2.0@sha256:abc", "2.0", "2.0"),
    ],
)
def test_tag_is_told_from_port_and_digest(image: str, tag: str, version: str) -> None:
    assert (tag_of(image), version_of(image)) == (tag, version)


def test_image_id_names_the_repository_in_full_and_differs_between_tags() -> None:
    one, two = image_id("bookstore:1.0"), image_id("bookstore:2.0")
    assert one.startswith("docker.io/library/bookstore@sha256:")
    assert one != two
    assert image_id("shop/bookstore:1.0").startswith("docker.io/shop/bookstore@sha256:")
    assert (
        image_id("registry.example.com:5000/bookstore@sha256:abc") == "registry.example.com:5000/bookstore@sha256:abc"
    )
