// Events: what flows where, and what became of one of them.
import { useState } from "preact/hooks";
import { many } from "../core/format.ts";
import { useSeconds, useStore } from "../store.ts";
import { addresseeOf } from "../parts/nodes.ts";
import { Command } from "../parts/copy.tsx";
import { State } from "../parts/state.tsx";
import { Empty, keyOf, Title } from "./common.tsx";
import { Graph } from "./graph.tsx";
import { JourneyView } from "./journey.tsx";
import { NodePanel } from "./node.tsx";
import { Wires } from "./wires.tsx";
import { Notes } from "./services.tsx";

type Shape = "graph" | "list";

export function Events({ node, event }: { node: string | undefined; event: string | undefined }) {
  const { tables } = useStore();
  useSeconds();
  const [shape, setShape] = useState<Shape>(matchMedia("(max-width: 700px)").matches ? "list" : "graph");
  const nodes = Object.values(tables.nodes);
  const edges = Object.values(tables.edges);
  const sources = Object.values(tables.sources);
  if (event) return <JourneyView key={event} id={event} />;
  const chosen = node ? tables.nodes[node] : undefined;
  return (
    <>
      <div class="section-head">
        <Title>Events</Title>
        <p class="quiet">{summary(edges)}</p>
        <div class="switch push" role="group" aria-label="Shape">
          {(["graph", "list"] as const).map((each) => (
            <button key={each} class="button small" aria-pressed={shape === each} onClick={() => setShape(each)}>
              {each === "graph" ? "Graph" : "List"}
            </button>
          ))}
        </div>
      </div>
      <Notes />
      {!nodes.length && (
        <Empty title="No events yet.">
          <p>A Broker takes events in, Triggers deliver them. A first one:</p>
          <Command text="kubectl apply -f samples/events.yaml" />
          <Command text="hearth event send --type order.created --data '{&quot;id&quot;: 7}'" />
        </Empty>
      )}
      {nodes.length > 0 && (
        <div class={chosen ? "with-panel" : ""}>
          {shape === "graph" ? <Graph nodes={nodes} edges={edges} chosen={node ?? ""} /> : <Wires nodes={nodes} edges={edges} />}
          {chosen && <NodePanel key={chosen.id} node={chosen} edges={edges} />}
        </div>
      )}
      {sources.length > 0 && (
        <section aria-labelledby="sources-title">
          <h2 id="sources-title">Sources</h2>
          <ul class="plain">
            {sources.map((row) => (
              <li key={`${row.kind} ${keyOf(row)}`}>
                <span class="item-head">
                  <b>{row.name}</b>
                  <span class="chip">{row.kind}</span>
                  <State row={row} />
                  <span class="quiet mono clip push">{addresseeOf(row.sink, tables.nodes)}</span>
                </span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function summary(edges: { kind: string; count: number }[]): string {
  const of = (kind: string) => edges.filter((edge) => edge.kind === kind).reduce((sum, edge) => sum + edge.count, 0);
  const failed = of("dead letter");
  return `In ten minutes: ${many(of("sends"), "event")} came, ${many(of("delivers"), "delivery", "deliveries")}${failed ? `, ${many(failed, "dead letter")}` : ""}`;
}
