"""The users of the bookstore: they come in through the ingress and remember every answer."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.calls import Answer, NoAnswer, call
from tests.cluster.node.process import Node
from tests.cluster.waiting import wait_until


def ask(url: str) -> Answer:
    """One request of a user; no answer counts as status 0."""
    try:
        return call("GET", url)
    except NoAnswer as nothing:
        return Answer(0, str(nothing))


@contextmanager
def users_of(url: str, *, every: float = 0.03) -> Iterator[list[Answer]]:
    """Somebody who asks all the time; the list of the answers grows meanwhile."""
    answers: list[Answer] = []
    enough = threading.Event()

    def keep_asking() -> None:
        while not enough.wait(every):
            answers.append(ask(url))

    user = threading.Thread(target=keep_asking, name=f"user of {url}")
    user.start()
    try:
        yield answers
    finally:
        enough.set()
        user.join()


def wait_served(node: Node, namespace: str, service: str = "bookstore", path: str = "/api/books") -> str:
    """The address of a service for users, once it answers them."""
    url = node.ingress_url(namespace, service, path)
    wait_until(lambda: ask(url).ok, f"an answer at {url}", within=10)
    return url
