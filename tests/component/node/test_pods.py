"""Pods as processes: start, ends of all kinds, restarts, deletion."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from hearth.cluster.node.images.store import STAND_IN, ImageSpec
from hearth.cluster.node.runtime.processes.procfs import start_ticks
from hearth.kube.resources import PODS

Cluster = Any
Look = Any


def terminated(pod: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    return found


async def test_a_pod_that_succeeds(cluster: Cluster, look: Look) -> None:
    await cluster.create("job", "echo done; exit 0")
    pod = await cluster.until("job", lambda pod: look.phase(pod) == "Succeeded")
    assert (terminated(pod)["exitCode"], terminated(pod)["reason"]) == (0, "Completed")
    assert pod["spec"]["nodeName"] == "node"
    assert "stdout F done\n" in await cluster.until_log("job", "done")


@pytest.mark.parametrize(
    ("script", "code", "number"),
    [("exit 3", 3, None), ("kill -SEGV $$", 139, 11), ("kill -9 $$", 137, 9)],
)
async def test_a_pod_that_fails(
    cluster: Cluster, look: Look, script: str, code: int, number: int | None
) -> None:
    await cluster.create("job", script)
    pod = await cluster.until("job", lambda pod: look.phase(pod) == "Failed")
    assert (terminated(pod)["exitCode"], terminated(pod).get("signal")) == (code, number)
    assert terminated(pod)["reason"] == "Error"


async def test_the_container_says_why_it_ends(cluster: Cluster, look: Look) -> None:
    await cluster.create("job", 'echo "out of luck" > $HEARTH_TERMINATION_LOG; exit 1')
    pod = await cluster.until("job", lambda pod: look.phase(pod) == "Failed")
    assert terminated(pod)["message"] == "out of luck\n"


async def test_what_a_container_left_running_ends_with_it(cluster: Cluster, look: Look) -> None:
    noted = cluster.data_dir / "pids"
    noted.touch()
    script = """
        for start in "" setsid; do
            $start sh -c 'echo $$ >> $NOTED; exec sleep 1000' &
        done
        while [ $(wc -l < $NOTED) -lt 2 ]; do sleep 0.01; done
    """
    await cluster.create("job", script, container={"env": [{"name": "NOTED", "value": str(noted)}]})
    await cluster.until("job", lambda pod: look.phase(pod) == "Succeeded")
    pids = [int(line) for line in noted.read_text().splitlines()]
    assert len(pids) == 2
    async with asyncio.timeout(60):
        while any(start_ticks(pid) for pid in pids):
            await asyncio.sleep(0.01)


async def test_its_last_words_are_its_log(cluster: Cluster, look: Look) -> None:
    policy = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    await cluster.create("job", "echo one; echo two >&2; exit 1", container=policy)
    pod = await cluster.until("job", lambda pod: look.phase(pod) == "Failed")
    assert set(terminated(pod)["message"].split()) == {"one", "two"}


async def test_a_program_that_does_not_exist(cluster: Cluster, look: Look) -> None:
    await cluster.create("job", container={"command": ["/no/such/program"]})
    pod = await cluster.until("job", lambda pod: look.phase(pod) == "Failed")
    assert terminated(pod)["reason"] == "StartError"
    assert terminated(pod)["message"] == 'exec: "/no/such/program": no such file or directory'


async def test_a_working_folder_that_does_not_exist(cluster: Cluster, look: Look) -> None:
    await cluster.create("job", "pwd", container={"workingDir": "/no/such/folder"})
    pod = await cluster.until("job", lambda pod: look.phase(pod) == "Failed")
    assert "/no/such/folder" in terminated(pod)["message"]


async def test_a_crashing_pod_backs_off(cluster: Cluster) -> None:
    await cluster.create("crash", "exit 1", restartPolicy="Always")

    def is_in_backoff(pod: dict[str, Any]) -> bool:
        statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
        waiting = (statuses[0].get("state") or {}).get("waiting") or {}
        return bool(waiting.get("reason") == "CrashLoopBackOff")

    pod = await cluster.until("crash", is_in_backoff)
    status = pod["status"]["containerStatuses"][0]
    assert status["restartCount"] == 1
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert status["state"]["waiting"]["message"].startswith("back-off 10s restarting")
    assert pod["status"]["phase"] == "Running"
    await cluster.until_event("crash", "BackOff")


async def test_restart_on_failure_until_it_succeeds(cluster: Cluster, look: Look) -> None:
    script = "[ -e again ] && exit 0; touch again; exit 1"
    await cluster.create("job", script, restartPolicy="OnFailure")
    pod = await cluster.until("job", lambda pod: look.phase(pod) == "Succeeded")
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 1


async def test_init_containers_come_first(cluster: Cluster, look: Look) -> None:
    shared = {"volumes": [{"name": "work", "emptyDir": {}}]}
    inits = [
        {"name": f"i{n}", "image": "sh", "args": [f"echo {n} >> $HEARTH_VOLUME_WORK/order"]}
        for n in (1, 2)
    ]
    main = {"name": "main", "image": "sh", "args": ["cat $HEARTH_VOLUME_WORK/order"]}
    await cluster.client.create(PODS, cluster.pod("init", main, initContainers=inits, **shared))
    await cluster.until("init", lambda pod: look.phase(pod) == "Succeeded")
    log = await cluster.until_log("init", " F 2")
    assert log.index(" F 1") < log.index(" F 2")


async def test_a_sidecar_ends_after_the_work(cluster: Cluster, look: Look) -> None:
    sidecar = {
        "name": "side",
        "image": "sh",
        "args": ["trap 'echo bye; exit 0' TERM; while :; do sleep 0.02; done"],
        "restartPolicy": "Always",
    }
    main = {"name": "main", "image": "sh", "args": ["sleep 0.2"]}
    await cluster.client.create(PODS, cluster.pod("pair", main, initContainers=[sidecar]))
    await cluster.until("pair", lambda pod: look.phase(pod) == "Succeeded")
    await cluster.until_log("pair", "bye", container="side")


# -- deletion -----------------------------------------------------------------------------------


async def running_pid(cluster: Cluster, name: str) -> int:
    log = await cluster.until_log(name, "pid ")
    return int(log.partition("pid ")[2].split()[0])


def is_alive(pid: int) -> bool:
    return start_ticks(pid) is not None  # a zombie that nobody has reaped yet is no more alive


async def test_deletion_lets_a_process_end_by_itself(cluster: Cluster) -> None:
    script = "trap 'echo leaving; exit 0' TERM; echo pid $$; while :; do sleep 0.02; done"
    await cluster.create("polite", script, terminationGracePeriodSeconds=30)
    pid = await running_pid(cluster, "polite")
    async with asyncio.timeout(60):
        await cluster.delete("polite")
        await cluster.until_gone("polite")
    assert not is_alive(pid)


async def test_a_process_that_ignores_sigterm_is_killed(cluster: Cluster) -> None:
    script = "trap 'echo > ../../heard' TERM; echo pid $$; while :; do sleep 0.02; done"
    await cluster.create("stubborn", script)
    pid = await running_pid(cluster, "stubborn")
    await cluster.delete("stubborn")
    await cluster.until_gone("stubborn")
    assert (cluster.data_dir / "heard").exists() and not is_alive(pid)


async def test_children_of_a_process_go_with_it(cluster: Cluster, look: Look) -> None:
    await cluster.create("parent", "sleep 1000 & echo pid $!; exit 0")
    pid = await running_pid(cluster, "parent")
    await cluster.until("parent", lambda pod: look.phase(pod) == "Succeeded")
    assert not is_alive(pid)


async def test_a_child_that_leaves_its_session_goes_with_the_pod(cluster: Cluster) -> None:
    await cluster.create("daemon", "setsid sh -c 'echo pid $$; exec sleep 1000' & wait")
    pid = await running_pid(cluster, "daemon")
    await cluster.delete("daemon")
    await cluster.until_gone("daemon")
    async with asyncio.timeout(60):
        while is_alive(pid):
            await asyncio.sleep(0.01)


async def test_deletion_while_starting(cluster: Cluster) -> None:
    for number in range(5):
        name = f"quick{number}"
        await cluster.create(name, "echo pid $$; exec sleep 1000")
        await cluster.delete(name)
        await cluster.until_gone(name)
    async with asyncio.timeout(60):
        while any((cluster.data_dir / "pods").iterdir()):
            await asyncio.sleep(0.01)


async def test_a_pod_taken_away_by_force(cluster: Cluster) -> None:
    await cluster.create("forced", "echo pid $$; exec sleep 1000", terminationGracePeriodSeconds=60)
    pid = await running_pid(cluster, "forced")
    await cluster.delete("forced", grace_period_seconds=0)
    await cluster.until_gone("forced")
    async with asyncio.timeout(60):
        while is_alive(pid):
            await asyncio.sleep(0.01)


async def test_a_shorter_grace_period_counts(cluster: Cluster) -> None:
    script = "trap '' TERM; echo pid $$; while :; do sleep 0.02; done"
    await cluster.create("slow", script, terminationGracePeriodSeconds=60)
    pid = await running_pid(cluster, "slow")
    await cluster.delete("slow")
    await cluster.until("slow", lambda pod: pod["metadata"].get("deletionTimestamp"))
    async with asyncio.timeout(60):
        await cluster.delete("slow", grace_period_seconds=1)
        await cluster.until_gone("slow")
    assert not is_alive(pid)


async def test_the_same_name_again(cluster: Cluster, look: Look) -> None:
    for number in range(3):
        await cluster.create("again", f"echo round {number}")
        await cluster.until("again", lambda pod: look.phase(pod) == "Succeeded")
        await cluster.until_log("again", f"round {number}")
        await cluster.delete("again")
        await cluster.until_gone("again")


async def test_hooks(cluster: Cluster) -> None:
    lifecycle = {
        "postStart": {"exec": {"command": ["/bin/sh", "-c", "echo begun > hooks"]}},
        "preStop": {"exec": {"command": ["/bin/sh", "-c", "echo stopping >> hooks"]}},
    }
    script = (
        "trap 'cat hooks; cp hooks ../../hooks-seen; exit 0' TERM; while :; do sleep 0.02; done"
    )
    await cluster.create("hooked", script, container={"lifecycle": lifecycle})
    await cluster.until(
        "hooked", lambda pod: pod["status"].get("containerStatuses", [{}])[0].get("started")
    )
    await cluster.delete("hooked")
    await cluster.until_gone("hooked")
    assert (cluster.data_dir / "hooks-seen").read_text() == "begun\nstopping\n"


async def test_a_failing_post_start_hook_ends_the_container(cluster: Cluster, look: Look) -> None:
    lifecycle = {"postStart": {"exec": {"command": ["/bin/false"]}}}
    await cluster.create("hooked", "exec sleep 1000", container={"lifecycle": lifecycle})
    await cluster.until("hooked", lambda pod: look.phase(pod) == "Failed")
    event = await cluster.until_event("hooked", "FailedPostStartHook")
    assert "exit status 1" in event["message"]


async def test_a_signal_is_for_the_whole_group(cluster: Cluster) -> None:
    child = "trap 'echo child leaves; exit 0' TERM; while :; do sleep 0.02; done"
    script = f"trap 'wait; exit 0' TERM; sh -c \"{child}\" & echo pid $!; wait"
    await cluster.create("group", script)
    pid = await running_pid(cluster, "group")
    os.kill(pid, signal.SIGCONT)  # it is there
    await cluster.delete("group")
    await cluster.until_gone("group")
    assert not is_alive(pid)


async def test_a_sample_in_place_of_an_image_is_told_of(cluster: Cluster, look: Look) -> None:
    image = ImageSpec(entrypoint=("/bin/sleep", "1000"), source=STAND_IN)
    cluster.images.add("ghcr.io/somebody/server", image)
    container = {"name": "main", "image": "ghcr.io/somebody/server"}
    await cluster.client.create(PODS, cluster.pod("server", container))
    event = await cluster.until_event("server", "StandIn")
    assert event["message"] == (
        'image "ghcr.io/somebody/server" itself is not run: here it stands for the sample '
        "`/bin/sleep 1000`"
    )


async def test_a_pod_that_is_ended_gives_each_container_its_time(
    cluster: Cluster, look: Look
) -> None:
    quick = {"name": "quick", "image": "sh", "args": ["exec sleep 1000"]}
    slow = "trap 'sleep 0.4; echo in peace; exit 3' TERM; echo here; while :; do sleep 0.02; done"
    spec = {"activeDeadlineSeconds": 1, "terminationGracePeriodSeconds": 30}
    pod = cluster.pod("late", quick, {"name": "slow", "image": "sh", "args": [slow]}, **spec)
    await cluster.client.create(PODS, pod)
    await cluster.until_log("late", "here", container="slow")
    pod = await cluster.until("late", lambda pod: look.state(pod, 1).get("terminated"))
    assert look.state(pod, 1)["terminated"]["exitCode"] == 3
    assert pod["status"]["reason"] == "DeadlineExceeded"
    await cluster.until_log("late", "in peace", container="slow")
