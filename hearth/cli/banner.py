"""What ``hearth up`` tells once everything serves. Pure."""

from __future__ import annotations

import shlex
from pathlib import Path

from hearth.cli.layout import Layout
from hearth.cli.names import DEFAULT


def banner(layout: Layout, *, seconds: float, sample: Path, options: str, is_detached: bool) -> str:
    """Says where things are and how to go on; ``options`` name this Hearth to other commands."""
    folder = shlex.quote(str(layout.authority))
    curl = "curl http://hello.default.localhost" + _port(layout.port, 80)
    https = ""
    if layout.has_tls:
        https = f"\n  https        {layout.gateway_by_tls}\n  authority    {layout.authority}"
        host = f"hello.default.localhost{_port(layout.tls_port, 443)}"
        curl = f"curl --cacert {folder} https://{host}"
    apart = f"\n  processes    {layout.isolation}" if layout.isolation else ""
    end = f"Stop it with `hearth down{options}`." if is_detached else "Stop it with Ctrl-C."
    return f"""\
Hearth is ready ({seconds:.1f} s).

  kubeconfig   {layout.kubeconfig}
  gateway      {layout.gateway}{https}
  API          https://{layout.host}:{layout.api_port}
  pods         {layout.pods}{apart}

How to go on:

  hearth deploy{options} FOLDER    your code, from its folder to a URL

or with kubectl:

  export KUBECONFIG={shlex.quote(str(layout.kubeconfig))}
  kubectl apply -f {shlex.quote(str(sample))}
  kubectl get ksvc
  {curl}

{_TRUST if https else ""}Watch it live with `hearth ui{options}`. {end}"""


_TRUST = """\
Clients have to trust the authority, which vouches for names of `localhost` alone: `--cacert` of
curl, SSL_CERT_FILE for many programs, the settings of a browser.

"""


def _port(port: int, usual: int) -> str:
    return f":{port}" if port != usual else ""


def naming_options(name: str, data_dir: Path, *, is_found: bool) -> str:
    """The options by which other commands find a Hearth; ``is_found``: its name is enough."""
    if not is_found:
        return f" --data-dir {shlex.quote(str(data_dir))}"
    return "" if name == DEFAULT else f" --name {name}"
