"""Warm interpreters of a node: made for what sleeps, used by what starts, bounded, ended.

A pod asks for one by the annotation ``hearth.dev/warm-interpreter: enabled``. One is made with the
next pod of what has gone to sleep (``node.worker.ahead`` says for whom and for how long), or after
the first of pods that run once (``restartPolicy: Never``), for those that follow it; it is the
same for all programs of an interpreter that import the same. Whatever goes wrong with it, the
program is started as ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from hearth.cluster.node.pod.spec import PodSpec
from hearth.cluster.node.runtime.api import CreateError, StartError, StartRequest
from hearth.cluster.node.runtime.processes.environment import CONTAINER_MARK
from hearth.cluster.node.runtime.processes.isolation.isolation import find_program
from hearth.cluster.node.runtime.processes.launch import Command
from hearth.cluster.node.runtime.processes.marks import kill_marked
from hearth.cluster.node.runtime.processes.process import Launch, Process
from hearth.cluster.node.runtime.processes.warm.imports import preloads
from hearth.cluster.node.runtime.processes.warm.program import Program, program_of
from hearth.cluster.node.runtime.processes.warm.sources import first_line, read_sources
from hearth.cluster.node.runtime.processes.warm.zygotes import Zygote, open_zygote
from hearth.kube import meta

log = logging.getLogger(__name__)

MOST = 8
"""Warm interpreters at a time; the one that was used the longest ago gives way."""
_SHARE_OF_MEMORY = 10
"""All of them together have such a part of the machine's memory."""
_LINGER_SECONDS = 20.0
"""How long one is kept that no pod has: between the end of a pod and its next being foreseen."""


@dataclass(frozen=True, slots=True)
class _Key:
    """Programs of the same key are forked from the same process."""

    interpreter: str
    options: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    modules: tuple[str, ...]


_NO_PROGRAM = "its command starts no Python program"

_Place = tuple[str, tuple[str, ...], tuple[tuple[str, str], ...], tuple[str, ...], str]


class WarmInterpreters:
    """``Preparing`` for processes. ``command`` says what a request would start.

    ``release`` gives back what ``prepare`` gave a pod; ``why_not`` says why there is none here.
    """

    def __init__(
        self,
        command: Callable[[StartRequest], Awaitable[Command]],
        release: Callable[[str], None],
        *,
        why_not: str,
    ) -> None:
        self._command = command
        self._release = release
        self._why_not = why_not
        self._warm: dict[_Key, Zygote] = {}  # the latest used last
        self._there: set[Zygote] = set()  # those that are being ended, too
        self._places: dict[_Place, _Key] = {}
        self._holders: dict[tuple[str, str], _Key] = {}  # by pod and container
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    # -- pods that are to come ---------------------------------------------------------------

    def covers(self, pod: PodSpec) -> bool:
        """Whether it has asked for one, where there can be one."""
        return pod.is_warm and not self._why_not

    async def make_ahead(self, request: StartRequest) -> None:
        """Sees to it that there is one; raises CreateError where it cannot be used."""
        place, key = await self._found(request)
        async with self._turn:
            if key not in self._warm:
                program = Program(key.interpreter, key.options, key.env, ())
                self._keep(key, await open_zygote(program, key.modules))
                await self._make_room(key)
        self._places[place] = key
        self._holders[_whose(request)] = key

    async def fits(self, request: StartRequest) -> bool:
        """Whether what was made would be used, or has only given way to others."""
        with contextlib.suppress(CreateError):
            return self._holders.get(_whose(request)) == (await self._found(request))[1]
        return False

    def hand_over(self, uid: str, to: str) -> None:
        """The pod has come. Its ports are taken anew, since others may have taken them."""
        self._release(uid)
        for of, container in [key for key in self._holders if key[0] == uid]:
            self._holders[to, container] = self._holders.pop((of, container))

    def forget(self, uid: str) -> None:
        """A pod has gone; one that nobody has is ended after a while."""
        for holder in [each for each in self._holders if each[0] == uid]:
            key = self._holders.pop(holder)
            self._aside(self._end_unused(key))

    async def _found(self, request: StartRequest) -> tuple[_Place, _Key]:
        command = await self._command(request)
        program = _program(command)
        if program is None:
            raise CreateError("NotWarm", _NO_PROGRAM)
        return _place(program, command, request), await asyncio.to_thread(_key, program, command)

    # -- starting ----------------------------------------------------------------------------

    async def start(
        self, request: StartRequest, command: Command, launch: Launch
    ) -> Process | None:
        """The program by a warm interpreter; None where there is none for it."""
        program = _program(command)
        why = self._why_not or _why_not(program, launch)
        if program is None or why:
            request.report("Warning", "NotWarm", f"started as an ordinary process: {why}")
            return None
        key = self._places.get(_place(program, command, request))
        zygote = None if key is None else self._warm.pop(key, None)
        if key is None or zygote is None:
            if _comes_once(request):
                self._aside(self._make_for_next(request))
            return None
        self._warm[key] = zygote
        plan = _plan(command)
        if plan is None and not _is_folder(command.cwd):
            return None  # which is an error, told as ever
        try:
            process = await zygote.fork(program.argv, launch, plan)
        except StartError as error:
            log.warning("a warm interpreter failed", extra={"error": str(error)})
            await zygote.end()
            mark = f"{CONTAINER_MARK}={command.env[CONTAINER_MARK]}"
            await asyncio.to_thread(kill_marked, mark)
            return None
        request.report("Normal", "WarmStart", "Forked from a warm interpreter")
        return process

    async def _make_for_next(self, request: StartRequest) -> None:
        """Nobody foresees such a pod, and often others like it follow: they find one."""
        with contextlib.suppress(CreateError, StartError, OSError):
            await self.make_ahead(request)
            self.forget(meta.uid(request.facts.pod))

    # -- keeping -----------------------------------------------------------------------------

    def _keep(self, key: _Key, zygote: Zygote) -> None:
        self._warm[key] = zygote
        self._there.add(zygote)
        facts = {"interpreter": key.interpreter, "left_out": list(zygote.left_out)}
        log.info("a warm interpreter is ready", extra=facts)
        self._aside(self._follow(key, zygote))

    async def _follow(self, key: _Key, zygote: Zygote) -> None:
        """Once one has ended by itself, nobody has it: it is made again by who sleeps."""
        await zygote.process.wait()
        await zygote.end()
        self._there.discard(zygote)
        if self._warm.get(key) is zygote:
            del self._warm[key]
            self._holders = {holder: k for holder, k in self._holders.items() if k != key}

    async def _make_room(self, newest: _Key) -> None:
        most_memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _SHARE_OF_MEMORY
        while len(self._warm) > MOST or self._memory() > most_memory:
            key = next(iter(self._warm))
            await self._warm.pop(key).end()
            if key == newest:
                raise CreateError("NotWarm", "its imports take more memory than there is for them")

    def _memory(self) -> int:
        return sum(zygote.memory for zygote in self._warm.values())

    async def _end_unused(self, key: _Key) -> None:
        await asyncio.sleep(_LINGER_SECONDS)
        async with self._turn:
            if key not in self._holders.values() and key in self._warm:
                self._places = {place: k for place, k in self._places.items() if k != key}
                await self._warm.pop(key).end()

    def _aside(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="warm-aside")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Ends all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for zygote in self._there:
            await zygote.end()
        self._there.clear()
        self._warm.clear()


def _whose(request: StartRequest) -> tuple[str, str]:
    return meta.uid(request.facts.pod), request.container.name


def _comes_once(request: StartRequest) -> bool:
    """Whether its pod is no Deployment's, whose next one is foreseen."""
    return bool(request.facts.pod["spec"].get("restartPolicy") == "Never")


def _is_folder(path: str) -> bool:
    return os.path.isdir(path)


def _why_not(program: Program | None, launch: Launch) -> str:
    if launch.terminal:
        return "it has a terminal"
    return _NO_PROGRAM if program is None else ""


def _program(command: Command) -> Program | None:
    argv = command.argv[len(command.prefix) :]
    with contextlib.suppress(StartError):
        found = find_program(argv[0], command.env, _folder(command))
        return program_of(argv, found, first_line(found), command.env)
    return None


def _plan(command: Command) -> dict[str, Any] | None:
    """What ``mountlauncher`` is told; None where it is not used."""
    return json.loads(command.prefix[-1]) if command.prefix else None


def _folder(command: Command) -> str:
    plan = _plan(command)
    return command.cwd if plan is None else str(plan["cwd"])


def _place(program: Program, command: Command, request: StartRequest) -> _Place:
    """What tells programs apart whose files are not looked at; the pod's own folder is any."""
    folder = _folder(command)
    folder = "" if folder == str(request.volumes.pod) else folder
    return program.interpreter, program.options, program.env, program.target, folder


def _key(program: Program, command: Command) -> _Key:
    files = read_sources(_folder(command), program.argv[0])
    modules = preloads(files, program.target)
    return _Key(program.interpreter, program.options, program.env, modules)
