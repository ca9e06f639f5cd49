"""Lets pods out into the world under the machine's address, by nft or iptables."""

from __future__ import annotations

import asyncio
import logging
import shutil
import subprocess
from pathlib import Path

log = logging.getLogger(__name__)

_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


async def open_way_out(bridge: str, subnet: str) -> None:
    """Rules for one bridge, made anew; that they cannot be made is said and hurts nobody else."""
    nft, iptables = shutil.which("nft"), shutil.which("iptables")
    try:
        await asyncio.to_thread(_let_forward)
        if iptables:
            await _forward(iptables, bridge)
        if nft:
            await _run(nft, "-f", "-", text=_nft_rules(bridge, subnet))
            return
        if iptables:
            await _ensure(iptables, ("-t", "nat"), _masquerade(bridge, subnet))
            return
        reason = "neither nft nor iptables is installed"
    except OSError as error:
        reason = str(error)
    log.warning("pods cannot reach beyond this machine", extra={"reason": reason})


async def close_way_out(bridge: str, subnet: str) -> None:
    """Takes the rules of a bridge away."""
    nft, iptables = shutil.which("nft"), shutil.which("iptables")
    rules: list[tuple[str, ...]] = [(nft, "delete", "table", "ip", bridge)] if nft else []
    if iptables:
        rules += [
            (iptables, "-w", "-D", "FORWARD", side, bridge, "-j", "ACCEPT") for side in ("-i", "-o")
        ]
        if not nft:
            rules.append((iptables, "-w", "-t", "nat", "-D", *_masquerade(bridge, subnet)))
    for rule in rules:
        try:
            await _run(*rule)
        except OSError as error:
            log.debug("rule of a bridge not removed", extra={"error": str(error)})


def _let_forward() -> None:
    if _FORWARD.read_text().strip() != "1":
        _FORWARD.write_text("1")


def _masquerade(bridge: str, subnet: str) -> tuple[str, ...]:
    return ("POSTROUTING", "-s", subnet, "!", "-o", bridge, "-j", "MASQUERADE")


def _nft_rules(bridge: str, subnet: str) -> str:
    """A table of its own, so that nobody else's rules are touched."""
    rule = f'ip saddr {subnet} oifname != "{bridge}" masquerade'
    head = "type nat hook postrouting priority 100; policy accept;"
    table = f"table ip {bridge}"
    return f"{table} {{}}\nflush {table}\n{table} {{ chain out {{ {head} {rule}; }}\n}}\n"


async def _forward(iptables: str, bridge: str) -> None:
    """Past what Docker sets: it drops what is forwarded."""
    for side in ("-i", "-o"):
        await _ensure(iptables, (), ("FORWARD", side, bridge, "-j", "ACCEPT"))


async def _ensure(iptables: str, table: tuple[str, ...], rule: tuple[str, ...]) -> None:
    try:
        await _run(iptables, "-w", *table, "-C", *rule)
    except OSError:
        await _run(iptables, "-w", *table, "-I", *rule)


async def _run(*words: str, text: str = "") -> None:
    """In a thread: uvloop raises where a program has ended before it was given its input."""
    done = await asyncio.to_thread(
        subprocess.run, words, input=text.encode(), capture_output=True, check=False
    )
    if done.returncode:
        raise OSError(f"{words[0]}: {done.stderr.decode(errors='replace').strip()}")
