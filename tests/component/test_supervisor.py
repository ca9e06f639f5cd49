"""The supervisor and its children in a process of their own, because it forks and takes signals."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

from hearth.cli.up import say

_HEAD = """
import asyncio, os, resource, signal, socket, sys, tempfile, time
from hearth.cli.supervisor import Component, Supervisor

async def serve(ready):
    ready()
    await asyncio.Event().wait()

async def deaf(ready):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    await serve(ready)
"""


def run(script: str, *, seconds: float = 120) -> str:
    source = _HEAD + textwrap.dedent(script)
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_stop_that_overtakes_the_start_of_a_child_is_heard() -> None:
    # Lost, it would cost the time until the kill: longer than this may take.
    said = run("""
        def changed(states):
            for state in states.values():
                if state.pid:
                    os.kill(state.pid, signal.SIGTERM)  # at once: it has no handler of its own yet
                os.kill(os.getpid(), signal.SIGTERM)

        Supervisor(
            [Component("one", lambda: serve)], lambda: None, changed, stop_seconds=400
        ).run()
        print("stopped")
    """)
    assert said == "stopped\n"


def test_components_may_open_as_many_files_as_the_system_allows() -> None:
    found = run("""
        async def tell(ready):
            print(*resource.getrlimit(resource.RLIMIT_NOFILE), flush=True)
            await serve(ready)

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        stop = lambda: os.kill(os.getpid(), signal.SIGTERM)
        Supervisor([Component("one", lambda: tell)], stop, lambda states: None).run()
    """)
    soft, hard = found.split()
    assert soft == hard


def test_a_component_that_does_not_stop_is_killed() -> None:
    found = run("""
        seen = []
        stop = lambda: os.kill(os.getpid(), signal.SIGTERM)
        limits = {"stop_seconds": 0.5, "least_seconds": 0.1}
        Supervisor([Component("one", lambda: deaf)], stop, seen.append, **limits).run()
        print(os.path.exists(f"/proc/{seen[0]['one'].pid}"))
    """)
    assert found.strip() == "False"


def test_one_that_hangs_leaves_the_others_time_to_end() -> None:
    """It is stopped first, as it was started last."""
    found = run("""
        async def slow(ready):
            try:
                await serve(ready)
            finally:
                await asyncio.sleep(0.3)
                print("ended in order", flush=True)

        stop = lambda: os.kill(os.getpid(), signal.SIGTERM)
        components = [Component("slow", lambda: slow), Component("deaf", lambda: deaf)]
        Supervisor(components, stop, lambda states: None, stop_seconds=0.1).run()
    """)
    assert found == "ended in order\n"


def test_a_component_that_dies_is_started_again() -> None:
    found = run("""
        seen = []

        def changed(states):
            seen.append(states["one"].pid)
            if len({pid for pid in seen if pid}) == 3:
                os.kill(os.getpid(), signal.SIGTERM)

        async def dies(ready):
            ready()
            os.kill(os.getpid(), signal.SIGKILL)

        Supervisor([Component("one", lambda: dies)], lambda: None, changed).run()
        print(len({pid for pid in seen if pid}))
    """)
    assert found.strip() == "3"


def test_the_end_of_the_supervisor_ends_its_children() -> None:
    found = run("""
        read_end, write_end = os.pipe()
        if os.fork() == 0:
            os.close(read_end)
            die = lambda: os.kill(os.getpid(), signal.SIGKILL)
            Supervisor([Component("one", lambda: serve)], die, lambda pids: None).run()
        os.close(write_end)
        print(os.read(read_end, 1))  # the end of the file comes when the last holder has ended
    """)
    assert found.strip() == "b''"


def test_it_tells_how_often_and_how_a_component_ended() -> None:
    found = run("""
        def changed(states):
            state = states["one"]
            if state.restarts == 2 and state.is_ready:
                print(state.exit_code, state.last_words)
                os.kill(os.getpid(), signal.SIGTERM)

        async def dies(ready):
            ready()
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(0))
                raise ValueError("no more")

        Supervisor([Component("one", lambda: dies)], lambda: None, changed).run()
    """)
    assert found.splitlines()[0] == "1 ValueError: no more"


def test_a_full_disk_does_not_end_what_runs() -> None:
    found = run("""
        pids, reports = set(), []

        def changed(states):
            reports.append(states)
            if pids and len(reports) < 5:
                raise OSError(28, "No space left on device")
            pids.update(state.pid for state in states.values() if state.pid)
            if len(pids) == 2:
                os.kill(os.getpid(), signal.SIGTERM)

        def kill():
            os.kill(next(iter(pids)), signal.SIGKILL)

        Supervisor([Component("one", lambda: serve)], kill, changed).run()
        print(len(pids))
    """)
    assert found.strip() == "2"


def test_a_reader_that_has_gone_does_not_end_what_runs() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as out:
        say(out, "Hearth is ready")
        say(out, "READY")


_ACCEPTING = """
        from hearth.listening import bind
        from hearth.process import GONE, LEAVING, say

        sock = bind("127.0.0.1", 0)
        address = sock.getsockname()

        def ask():
            with socket.create_connection(address, timeout=60) as client:
                return int(client.recv(16) or 0)

        async def accepts(ready):
            async def tell(reader, writer):
                writer.write(str(os.getpid()).encode())
                writer.close()

            server = await asyncio.start_server(tell, sock=sock)
            ready()
            await server.serve_forever()
"""


def test_what_comes_while_a_component_is_away_waits_for_the_next() -> None:
    found = run(
        _ACCEPTING
        + """
        answers, pids = [], []

        async def counts(ready):
            await asyncio.sleep(0.2)  # nobody but the supervisor has the socket open
            await accepts(ready)

        def changed(states):
            pid = states["one"].pid
            if pid and pid not in pids:
                pids.append(pid)
                if len(pids) == 2:
                    answers.append(ask())  # before it is ready
                    os.kill(os.getpid(), signal.SIGTERM)
            elif states["one"].is_ready and len(pids) == 1:
                answers.append(ask())
                os.kill(pid, signal.SIGKILL)

        component = Component("one", lambda: counts, sockets=(sock,))
        Supervisor([component], lambda: None, changed).run()
        print(answers == pids, sock.fileno())
    """
    )
    assert found == "True -1\n"


def test_others_do_not_keep_the_sockets_of_a_component() -> None:
    found = run(
        _ACCEPTING
        + """
        async def looks(ready):
            links = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")[:-1]]
            print(inode in links, flush=True)
            await serve(ready)

        inode = os.readlink(f"/proc/self/fd/{sock.fileno()}")
        stop = lambda: os.kill(os.getpid(), signal.SIGTERM)
        components = [
            Component("one", lambda: accepts, sockets=(sock,)), Component("two", lambda: looks),
        ]
        Supervisor(components, stop, lambda states: None).run()
    """
    )
    assert found == "False\n"


def test_a_successor_starts_while_its_predecessor_finishes_what_it_has() -> None:
    found = run(
        _ACCEPTING
        + """
        seen = []

        async def hands_over(ready):
            try:
                await accepts(ready)
            finally:
                say(LEAVING)
                say(GONE)
                print("waits", flush=True)
                while not os.path.exists(mark):
                    await asyncio.sleep(0.01)
                print("ends", flush=True)

        mark = tempfile.mktemp()

        def changed(states):
            state = states["one"]
            seen.append((state.pid, state.is_ready))
            ready = [pid for pid, is_ready in dict.fromkeys(seen) if is_ready]
            if state.is_ready and len(ready) == 1:
                os.kill(state.pid, signal.SIGTERM)
            elif state.is_ready and len(ready) == 2 and not os.path.exists(mark):
                first, second = ready
                print(os.path.exists(f"/proc/{first}"), ask() == second, state.restarts, flush=True)
                open(mark, "w").close()
                os.kill(os.getpid(), signal.SIGTERM)

        component = Component("one", lambda: hands_over, sockets=(sock,))
        Supervisor([component], lambda: None, changed).run()
        os.remove(mark)
    """
    )
    assert found.splitlines() == ["waits", "True True 1", *found.splitlines()[2:]]
    assert found.splitlines()[2:].count("ends") == 2


def test_a_component_on_demand_starts_when_another_one_asks_for_it() -> None:
    found = run("""
        from hearth.process import WANTED, say

        async def asks(ready):
            ready()
            await asyncio.to_thread(sys.stdin.readline)
            say(f"{WANTED}late")
            say(f"{WANTED}nobody")
            await asyncio.Event().wait()

        asking, told = os.pipe()
        os.dup2(asking, 0)
        started = []

        def ready():
            print("ready without it")
            os.write(told, b"go\\n")

        def changed(states):
            if states["late"].is_ready and not started:
                started.append(print("started"))
                os.kill(os.getpid(), signal.SIGTERM)

        late = Component("late", lambda: serve, ("one",), on_demand=True)
        Supervisor([Component("one", lambda: asks), late], ready, changed).run()
    """)
    assert found.splitlines() == ["ready without it", "started"]


def test_who_connects_starts_a_component_that_rests_until_the_next_one_does() -> None:
    found = run("""
        from hearth.process import RESTING, say

        door = socket.create_server(("127.0.0.1", 0))
        address = door.getsockname()

        async def answers(ready):
            ready()
            listener, _ = await asyncio.to_thread(door.accept)
            listener.sendall(b"served")
            listener.close()
            say(RESTING)

        async def calls(ready):
            ready()
            for _ in range(2):
                reader, writer = await asyncio.open_connection(*address)
                print((await reader.read()).decode(), flush=True)
                writer.close()
            os.kill(os.getppid(), signal.SIGTERM)
            await asyncio.Event().wait()

        restarts = set()
        changed = lambda states: restarts.add(states["ui"].restarts)
        ui = Component("ui", lambda: answers, ("one",), sockets=(door,), on_connection=True)
        one = Component("one", lambda: calls)
        Supervisor([one, ui], lambda: None, changed).run()
        print(restarts)
    """)
    assert found.splitlines() == ["served", "served", "{0}"]
