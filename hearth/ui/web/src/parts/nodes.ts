// What a node of the event graph is called. Pure.
import { clipped } from "../core/format.ts";
import { serviceOfUrl } from "../core/route.ts";
import type { Node, Rows } from "../types.ts";

const OWN = "default/";
/** What sources of Knative say they are: /apis/v1/namespaces/NAMESPACE/pingsources/NAME. */
const SOURCE = /^\/apis\/v1\/namespaces\/([^/]+)\/([a-z]+?)s?\/([^/#]+)/;

/** Its kind as shown, and its name without what goes without saying. */
export function labelOf(node: Pick<Node, "kind" | "name">): { kind: string; name: string } {
  const service = node.kind === "sink" ? serviceOfUrl(node.name) : null;
  const source = node.kind === "source" ? SOURCE.exec(node.name) : null;
  if (source) return { kind: source[2]!, name: own(`${source[1]}/${source[3]}`) };
  const name = service ?? node.name.replace(/^https?:\/\//, "");
  return { kind: service ? "service" : node.kind, name: own(name) };
}

const own = (name: string) => (name.startsWith(OWN) ? name.slice(OWN.length) : name);

export const clippedLabel = (node: Pick<Node, "kind" | "name">, most: number) => clipped(labelOf(node).name, most);

const LAST_TWO = /^https?:\/\/[^/]+\/([^/]+)\/([^/]+)$/;

/** Who has this address, where that is known: brokers and channels by the path, Services by the host. */
export function addresseeOf(url: string, nodes: Rows<Node>): string {
  const service = serviceOfUrl(url);
  if (service) return `service ${service}`;
  const path = LAST_TWO.exec(url);
  const found = path && ["broker", "channel"].map((kind) => `${kind} ${path[1]}/${path[2]}`).find((id) => id in nodes);
  return found || url;
}
