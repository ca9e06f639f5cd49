"""Which jobs may begin, given which have ended. Pure."""

from __future__ import annotations

from hearth.pipelines.sdk.problems import Cycle, PipelineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    Needs = Mapping[str, Sequence[str]]


def check(needs: Needs, known: Collection[str]) -> None:
    """Raise where jobs wait for each other, or for one that is neither here nor over."""
    for name, wanted in needs.items():
        for each in wanted:
            if each not in needs and each not in known:
                raise PipelineError(
                    f"job {name!r} needs {each!r}, which neither was run before nor is run with "
                    "it: give both to one parallel()"
                )
    done = {each for each in known if each not in needs}
    waiting = dict(needs)
    while ready := [name for name, wanted in waiting.items() if done.issuperset(wanted)]:
        done.update(ready)
        for name in ready:
            del waiting[name]
    if waiting:
        raise Cycle(f"jobs wait for each other: {' -> '.join(_circle(waiting, done))}")


def _circle(waiting: Needs, done: Collection[str]) -> list[str]:
    path = [next(iter(waiting))]
    while True:
        following = next(each for each in waiting[path[-1]] if each not in done)
        if following in path:
            return [*path[path.index(following) :], following]
        path.append(following)


def ready(needs: Needs, begun: Collection[str], succeeded: Collection[str]) -> list[str]:
    """Return the jobs that may begin now, in their order."""
    return [
        name
        for name, wanted in needs.items()
        if name not in begun and all(each in succeeded for each in wanted)
    ]


def skipped(needs: Needs, failed: Collection[str]) -> list[str]:
    """Return the jobs that never begin, since what they need failed, directly or not."""
    lost = set(failed)
    while more := {n for n, wanted in needs.items() if n not in lost and lost.intersection(wanted)}:
        lost |= more
    return [name for name in needs if name in lost and name not in failed]
