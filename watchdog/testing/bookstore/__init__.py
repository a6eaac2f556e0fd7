"""A bookstore of real local processes to break: three API and two web instances, a database, a balancer and readers.

Role: what `make demo` watches, and a target for tests. Start it with ``async with Bookstore.start(directory) as store``.
Neighbours: `ctl` is the command pair for the `command` platform; the http signal asks `Bookstore.api_url`.
Guarantees: only 127.0.0.1, only free ports, only the standard library, no root; each process ends when the one that started
it ends, however it ends (a pipe to it closes). Not guaranteed: that it is a good bookstore.

What a release does is written in its name, by suffixes (`behaviour`): ``1.3-err30`` fails 30 % of the API's answers while
/health stays 200; ``-crash`` exits 2 s after its start, again and again; ``-blip5`` fails everything for 5 s, once;
``-slow`` answers late; ``-unready`` never becomes healthy.
"""

from watchdog.testing.bookstore.store import Bookstore, ReaderCounts

__all__ = ["Bookstore", "ReaderCounts"]
