// The event graph in words: from, what happens, to, how often.
import { rate } from "../core/format.ts";
import { nodeHref } from "../core/route.ts";
import { labelOf } from "../parts/nodes.ts";
import type { Edge, Node } from "../types.ts";

const ORDER = ["sends", "matches", "delivers", "replies", "dead letter"];
const WORDS: Record<string, [string, string]> = {
  sends: ["sends", "to"],
  delivers: ["delivers to", ""],
  replies: ["answers with", "to"],
  "dead letter": ["gives up, and sends to", ""],
};

export function Wires({ nodes, edges }: { nodes: Node[]; edges: Edge[] }) {
  const known = new Map(nodes.map((node) => [node.id, node]));
  const sorted = [...edges].sort((left, right) => ORDER.indexOf(left.kind) - ORDER.indexOf(right.kind) || (left.id < right.id ? -1 : 1));
  const wired = new Set(edges.flatMap((edge) => [edge.from, edge.to]));
  const alone = nodes.filter((node) => !wired.has(node.id));
  return (
    <ul class="plain wires" aria-label="What flows where">
      {sorted.map((edge) => (
        <li key={edge.id} class={edge.kind === "dead letter" ? "dead" : ""}>
          <NodeLink node={known.get(edge.from)} id={edge.from} />
          <Happens edge={edge} />
          <NodeLink node={known.get(edge.to)} id={edge.to} />
          <span class="number push">{edge.rate >= 0.05 ? <>{rate(edge.rate)}<small>/s</small> </> : null}<small>{edge.count} in 10 min</small></span>
        </li>
      ))}
      {alone.map((node) => (
        <li key={node.id}>
          <NodeLink node={node} id={node.id} />
          <span class="quiet">has nothing to do with the others yet</span>
        </li>
      ))}
    </ul>
  );
}

function Happens({ edge }: { edge: Edge }) {
  const [before, after] = WORDS[edge.kind] ?? [edge.kind, ""];
  return (
    <span class="quiet">
      {before}
      {edge.label && <span class="mono"> {edge.label}</span>} {after}
    </span>
  );
}

export function NodeLink({ node, id }: { node: Node | undefined; id: string }) {
  const kind = id.slice(0, id.indexOf(" "));
  const label = labelOf(node ?? { kind, name: id.slice(kind.length + 1) });
  return (
    <a class="node-link" href={nodeHref(id)} data-line>
      <small>{label.kind}</small> {label.name}
    </a>
  );
}
