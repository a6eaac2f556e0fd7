"""``make chaos``: random faults, many stories, one verdict.

    python -m tests.chaos [--runs 60] [--seed S] [--at-once 4] [--calm]

It moves into the network namespace of `tests.cluster.enter` by itself and needs the binaries of the control plane. Each story prints its seed;
``--runs 1 --seed S-7`` plays the plot of that one again (what the machine does in between is not repeated). Exit code 1 = something
happened that must never happen.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import nullcontext

from tests.benchmarks.processes import table
from tests.chaos.story import Told, tell
from tests.chaos.weather import weather
from tests.cluster import enter
from tests.cluster.controlplane import PROGRAMS, binaries_folder
from tests.cluster.laboratory import laboratory


def stories(seeds: Sequence[str], at_once: int, *, calm: bool) -> list[Told]:
    """Play them all; each is printed as it ends."""
    told: list[Told] = []
    with laboratory("chaos") as (plane, node, folder), nullcontext([]) if calm else weather(plane, seeds[0]) as storms:
        with ThreadPoolExecutor(at_once) as pool:
            playing = [pool.submit(tell, seed, plane, node, folder) for seed in seeds]
            for future in as_completed(playing):
                told.append(future.result())
                one = told[-1]
                verdict = "; ".join(one.violations) or "ok"
                print(f"{one.plot.seed}: {verdict} | {one.end} | {one.plot} | {one.took_s:.0f} s", flush=True)
        print(f"meanwhile: {', '.join(storms) or 'calm'}", flush=True)
    return told


def main(arguments: Sequence[str]) -> int:
    """Play, print, judge."""
    parser = argparse.ArgumentParser(prog="tests.chaos")
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--seed", default=secrets.token_hex(3))
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--calm", action="store_true", help="the API server and etcd stay well")
    chosen = parser.parse_args(arguments)
    if not enter.inside():
        again = [sys.executable, "-m", "tests.chaos", *arguments]
        return subprocess.run([sys.executable, "-m", "tests.cluster.enter", "--", *again], check=False).returncode
    missing = [name for name in PROGRAMS if not (binaries_folder() / name).exists()]
    if missing:
        print(f"not built: {', '.join(missing)}; run tests/cluster/binaries/build.sh", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    seeds = [chosen.seed] if chosen.runs == 1 else [f"{chosen.seed}-{number}" for number in range(chosen.runs)]
    told = stories(seeds, chosen.at_once, calm=chosen.calm)
    print(summary(told))
    return int(any(one.violations or one.end.startswith("not settled") for one in told))


def summary(told: Sequence[Told]) -> str:
    """How they ended, and what must never happen."""
    ends = Counter(one.end for one in told)
    rows = [[end, str(count)] for end, count in ends.most_common()]
    broken = sum(bool(one.violations) for one in told)
    acts = Counter(act.what for one in told for act in one.plot.acts)
    trouble = ", ".join(f"{count} {what}" for what, count in acts.most_common())
    counts = f"{len(told)} stories, {sum(one.writes for one in told)} rollbacks, {trouble}; {broken} stories with a violation"
    return f"{table(['live at the end: incidents', 'stories'], rows)}\n\n{counts}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
