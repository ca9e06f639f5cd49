"""``hearth install`` and ``hearth uninstall``: Hearth in a cluster."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import reduce
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import typer
import yaml

from hearth.cli.access import access
from hearth.cli.errors import UserError
from hearth.install import bundle, values
from hearth.install.bundle import Choice
from hearth.install.cluster import Cluster, UnknownKind
from hearth.install.installer import Installer, NotReady, Refused, Report
from hearth.install.kustomize import KustomizeError
from hearth.install.order import describe
from hearth.install.preflight import missing_rights, needed_rights, refusals
from hearth.install.progress import gateway_address
from hearth.install.uninstaller import Leaving, claims_left, leaving, uninstall
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, Forbidden
from hearth.kube.install import config_folder
from hearth.kube.meta import Object, name, namespace

T = TypeVar("T")

_INSTALL_VERBS = ("create", "get", "list", "patch")
_GONE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class InstallOptions:
    """What was asked of ``hearth install``."""

    kubeconfig: Path | None
    overlays: Sequence[str]
    values: Sequence[Path]
    assignments: Sequence[str]
    dry_run: bool
    diff: bool
    wait: bool
    timeout_seconds: float
    upgrade: bool
    force: bool


def run_install(options: InstallOptions) -> int:
    """Install, or show what that would do; return the exit code."""
    chosen = _chosen(options)
    if options.dry_run:
        objects = _objects(chosen)
        print(yaml.safe_dump_all(objects, sort_keys=False, width=100), end="")
        return 0
    return _in_cluster(options.kubeconfig, lambda cluster: _install(cluster, options, chosen))


def _chosen(options: InstallOptions) -> Choice:
    """What overlays and values were given."""
    try:
        layers = [values.parse(path.read_text(), source=str(path)) for path in options.values]
        layers += [values.assignment(text) for text in options.assignments]
    except values.InvalidValues as error:
        raise UserError(str(error)) from error
    return Choice(tuple(options.overlays), reduce(values.merged, layers, {}))


def _objects(choice: Choice) -> list[Object]:
    try:
        return bundle.objects_of(config_folder(), choice)
    except (KustomizeError, values.InvalidValues) as error:
        raise UserError(str(error)) from error


async def _install(cluster: Cluster, options: InstallOptions, chosen: Choice) -> int:
    here = version("hearth-serving")
    choice = bundle.laid_over(await _last_choice(cluster, here), chosen)
    objects = [*_objects(choice), bundle.record(choice, here)]
    await _check(cluster, objects, here, upgrade=options.upgrade or options.diff)
    installer = Installer(cluster, objects, say=print, chosen=choice.values, force=options.force)
    if options.diff:
        changes = await installer.differences()
        print("\n".join(changes) or "Nothing would change.")
        return 1 if changes else 0
    report = await installer.apply(seconds=options.timeout_seconds)
    if options.wait:
        await installer.wait(seconds=options.timeout_seconds)
    await _conclude(cluster, objects, report)
    return 0


async def _last_choice(cluster: Cluster, here: str) -> Choice:
    try:
        return bundle.recorded(await cluster.find(bundle.record(Choice(), "")), here)
    except Forbidden:
        return Choice()  # all rights that are missing are told together, and nothing is done


async def _check(cluster: Cluster, objects: Sequence[Object], here: str, *, upgrade: bool) -> None:
    rights = needed_rights(objects, await cluster.resources(objects), _INSTALL_VERBS)
    facts = await cluster.facts(objects, rights)
    namespaces = {namespace(obj) for obj in objects}
    problems = list(refusals(facts, namespaces=namespaces, version=here, upgrade=upgrade))
    if problems:
        raise UserError("\n".join(problems))


async def _conclude(cluster: Cluster, objects: Sequence[Object], report: Report) -> None:
    for kept in report.kept:
        print(f"left {kept}")
    print(
        f"Hearth {version('hearth-serving')} is installed: {len(report.created)} objects created, "
        f"{len(report.configured)} changed, {len(report.unchanged)} as they were."
    )
    gateway = next(obj for obj in objects if name(obj) == "hearth-gateway")
    found = await cluster.find(gateway)
    url, remark = gateway_address(found or gateway, await cluster.nodes())
    if remark:
        print(f"{remark[0].upper()}{remark[1:]}.")
    domains = next((obj.get("data") for obj in objects if name(obj) == "config-domain"), None)
    domain = next((key for key in domains or {} if key != values.EXAMPLE), "example.com")
    if url is not None:
        print(f"Gateway: {url}")
        print("Next: apply a Service whose image listens on $PORT, and ask it:")
        print(f'  curl -H "Host: NAME.NAMESPACE.{domain}" {url}')


# -- uninstall -------------------------------------------------------------------------------------


def run_uninstall(kubeconfig: Path | None, *, everything: bool, yes: bool) -> int:
    """Tell what would go, ask, and remove it; return the exit code."""
    return _in_cluster(kubeconfig, lambda cluster: _uninstall(cluster, everything, yes))


async def _uninstall(cluster: Cluster, everything: bool, yes: bool) -> int:
    choice = await _last_choice(cluster, version("hearth-serving"))
    like = [*_objects(choice), bundle.record(Choice(), "")]
    found = await leaving(cluster, like, everything=everything)
    if not found.removed:
        print("No Hearth is installed here.")
        return 0
    _tell(found, everything=everything)
    resources = await cluster.resources(found.removed)
    denied = await cluster.denied(needed_rights(found.removed, resources, ["delete"]))
    if denied:
        raise UserError(missing_rights(denied))
    if not yes:
        typer.confirm("Remove this?", abort=True)
    await uninstall(cluster, found.removed, say=print, seconds=_GONE_SECONDS)
    print("Hearth is removed.")
    return 0


def _tell(found: Leaving, *, everything: bool) -> None:
    print("This would be removed:")
    for obj in found.removed:
        print(f"  {describe(obj)}")
    if everything:
        print("and with the definitions and namespaces everything that lives in them:")
        for text in found.users or ["no object of a user's"]:
            print(f"  {text}")
        return
    print("This would stay (--all removes it too):")
    kinds = Counter(str(obj["kind"]) for obj in found.kept)
    claims = (f"volume claim {each}" for each in claims_left(found.removed))
    for text in (*(f"{count} {kind}" for kind, count in kinds.items()), *found.users, *claims):
        print(f"  {text}")


# -- the cluster -----------------------------------------------------------------------------------


def _in_cluster(kubeconfig: Path | None, work: Callable[[Cluster], Coroutine[None, None, T]]) -> T:
    """Do something in the cluster of a kubeconfig; what the user can mend is a UserError."""

    async def connected() -> T:
        async with KubeClient(access(kubeconfig), user_agent="hearth-install") as client:
            return await work(Cluster(client))

    try:
        return asyncio.run(connected())
    except (ApiError, KustomizeError, NotReady, Refused, UnknownKind) as error:
        raise UserError(str(error)) from error
