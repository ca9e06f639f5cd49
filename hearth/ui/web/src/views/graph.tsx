// The event graph, drawn; each node leads to what is known of it.
import { useMemo } from "preact/hooks";
import { many, rate } from "../core/format.ts";
import { layout, type Layout, type Spot } from "../core/layout.ts";
import { nodeHref } from "../core/route.ts";
import { speed } from "../core/lanes.ts";
import { clippedLabel, labelOf } from "../parts/nodes.ts";
import { healthOf } from "../parts/state.tsx";
import type { Edge, Node } from "../types.ts";

const M = { width: 176, height: 46, gapX: 96, gapY: 20 };
const PAD = 22;
const LEAST_SCALE = 0.8;

interface Wire {
  key: string;
  from: string;
  to: string;
  kind: string;
  edges: Edge[];
  count: number;
  rate: number;
}

export function Graph({ nodes, edges, chosen }: { nodes: Node[]; edges: Edge[]; chosen: string }) {
  const wires = useMemo(() => bundled(edges), [edges]);
  const shape = `${nodes.map((node) => node.id).sort().join("|")}#${wires.map((wire) => wire.key).sort().join("|")}`;
  const drawn = useMemo(() => layout(nodes.map((node) => node.id).sort(byKind), [...wires].sort((left, right) => byKind(left.to, right.to)), M), [shape]);
  const width = drawn.width + 2 * PAD;
  const height = drawn.height + 2 * PAD;
  return (
    <div class="graph" tabIndex={0} role="region" aria-label={`Event graph: ${many(nodes.length, "node")}. The list beside tells the same in words.`}>
      <svg viewBox={`${-PAD} ${-PAD} ${width} ${height}`} style={{ width: "100%", maxWidth: `${width}px`, minWidth: `${Math.round(width * LEAST_SCALE)}px` }}>
        <defs>
          {["", "dead"].map((kind) => (
            <marker key={kind} id={`arrow${kind}`} class={`arrow ${kind}`} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto">
              <path d="M0 .5 7.500 4 0 7.500z" />
            </marker>
          ))}
        </defs>
        {wires.map((wire) => (
          <WireLine key={wire.key} wire={wire} drawn={drawn} lit={!chosen || wire.from === chosen || wire.to === chosen} />
        ))}
        {nodes.map((node) => (
          <Box key={node.id} node={node} spot={drawn.spots.get(node.id)!} chosen={node.id === chosen} />
        ))}
      </svg>
    </div>
  );
}

/** Circles are cut so that what is nearer to the beginning stands further left: sources, then brokers. */
const KINDS = ["source", "broker", "channel", "trigger", "subscription"];
const kindRank = (id: string) => {
  const rank = KINDS.indexOf(id.slice(0, id.indexOf(" ")));
  return rank < 0 ? KINDS.length : rank;
};
const byKind = (left: string, right: string) => kindRank(left) - kindRank(right) || (left < right ? -1 : 1);

/** Edges of one kind between the same two nodes are one wire, whatever types of events they carry. */
function bundled(edges: Edge[]): Wire[] {
  const wires = new Map<string, Wire>();
  for (const edge of edges) {
    const key = `${edge.from}>${edge.to}>${edge.kind}`;
    const wire = wires.get(key) ?? { key, from: edge.from, to: edge.to, kind: edge.kind, edges: [], count: 0, rate: 0 };
    wire.edges.push(edge);
    wire.count += edge.count;
    wire.rate += edge.rate;
    wires.set(key, wire);
  }
  return [...wires.values()];
}

function WireLine({ wire, drawn, lit }: { wire: Wire; drawn: Layout; lit: boolean }) {
  const from = drawn.spots.get(wire.from);
  const to = drawn.spots.get(wire.to);
  if (!from || !to) return null;
  const { path, start, end, back } = curve(from, to);
  const near = wire.kind === "sends" ? { x: start.x + 24, y: start.y - 7 } : back ? { x: start.x - 24, y: start.y + 15 } : { x: end.x - 28, y: end.y - 7 };
  const kind = wire.kind === "dead letter" ? "dead" : "";
  const types = wire.edges.map((edge) => edge.label).filter(Boolean);
  const label = wire.rate >= 0.05 ? `${rate(wire.rate)}/s` : wire.count ? `${wire.count}` : "";
  return (
    <g class={`wire ${kind} ${wire.count ? "" : "still"} ${lit ? "" : "dim"}`} data-speed={speed(wire.rate)}>
      <title>{`${wire.kind}: ${many(wire.count, "event")} in ten minutes${types.length ? ` of ${types.join(", ")}` : ""}`}</title>
      <path class="wire-bed" d={path} marker-end={`url(#arrow${kind})`} />
      {wire.rate > 0 && <path class="wire-run" d={path} />}
      {label && <text x={near.x} y={near.y} text-anchor="middle">{label}</text>}
    </g>
  );
}

/** Forward from side to side; back, one port lower, in a wider bow. */
function curve(from: Spot, to: Spot) {
  const back = to.rank <= from.rank;
  const port = M.height / 2 + (back ? 12 : 0);
  const start = { x: from.x + (back ? 0 : M.width), y: from.y + port };
  const end = { x: to.x + (back ? M.width : 0), y: to.y + port };
  const bend = back ? -M.gapX / 2 : Math.max(M.gapX / 2, (end.x - start.x) / 2);
  const sag = back && to.rank < from.rank ? 14 : back ? M.height : 0;
  const path = `M${start.x} ${start.y} C${start.x + bend} ${start.y + sag} ${end.x - bend} ${end.y + sag} ${end.x} ${end.y}`;
  return { path, start, end, back };
}

function Box({ node, spot, chosen }: { node: Node; spot: Spot; chosen: boolean }) {
  const { kind, name } = labelOf(node);
  const health = healthOf(node);
  const trouble = [node.failed ? `${node.failed} failed` : "", node.dropped ? `${node.dropped} dropped` : ""].filter(Boolean).join(", ");
  return (
    <a href={nodeHref(node.id)} data-line aria-label={`${kind} ${name}${health === "bad" ? ", needs a look" : ""}${trouble ? `, ${trouble}` : ""}`} aria-current={chosen ? "true" : undefined}>
      <g class={`box ${node.kind} ${kind} ${health} ${chosen ? "chosen" : ""}`} transform={`translate(${spot.x} ${spot.y})`}>
        <title>{`${kind} ${node.name}${node.words ? `: ${node.words}` : ""}`}</title>
        <rect width={M.width} height={M.height} rx={node.kind === "source" || node.kind === "sink" ? 23 : 7} />
        <text class="box-kind" x="16" y="18">{kind}{trouble && <tspan class="box-trouble" dx="8">{trouble}</tspan>}</text>
        <text class="box-name" x="16" y="35">{clippedLabel(node, 21)}</text>
        {health === "bad" && <path class="box-mark" transform={`translate(${M.width - 26} 16)`} d="M6 .8 11.600 11H.4z" />}
      </g>
    </a>
  );
}
