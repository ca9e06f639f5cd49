// One node of the event graph: how it is, what goes in and out, and which events came.
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, type Refused } from "../api.ts";
import { age, many } from "../core/format.ts";
import { eventHref, serviceHref, serviceOfUrl } from "../core/route.ts";
import { labelOf } from "../parts/nodes.ts";
import { Icon } from "../parts/icons.tsx";
import { State } from "../parts/state.tsx";
import { store } from "../store.ts";
import type { Edge, KeptEvent, Node } from "../types.ts";
import { NodeLink } from "./wires.tsx";

const PLACES = ["broker", "channel"];
const AGAIN_MS = 2000;

export function NodePanel({ node, edges }: { node: Node; edges: Edge[] }) {
  const { kind, name } = labelOf(node);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.focus({ preventScroll: true });
    heading.current?.parentElement?.scrollIntoView({ block: "nearest" });
  }, [node.id]);
  const out = edges.filter((edge) => edge.from === node.id);
  const into = edges.filter((edge) => edge.to === node.id);
  const service = node.kind === "sink" ? serviceOfUrl(node.name) : null;
  const here = service && store.tables.services[service];
  return (
    <aside class="panel" aria-labelledby="node-title">
      <div class="section-head">
        <h2 id="node-title" ref={heading} tabIndex={-1}>
          <small>{kind}</small> {name}
        </h2>
        <a class="button bare push" href="#/events" aria-label="Close" data-up>
          <Icon name="close" />
        </a>
      </div>
      {node.ready && <State row={node} />}
      {here && <p><a href={serviceHref(here.namespace, here.name)}>Open the Service {here.name}</a></p>}
      {(node.failed || node.dropped) ? <p class="why bad">{[node.failed ? many(node.failed, "attempt failed", "attempts failed") : "", node.dropped ? `${node.dropped} dropped` : ""].filter(Boolean).join(", ")}</p> : null}
      {node.kind === "trigger" || node.kind === "subscription" ? <Held id={node.id} /> : null}
      <div class="panel-body">
        <Flows title="In" edges={into} end="from" />
        <Flows title="Out" edges={out} end="to" />
        {PLACES.includes(node.kind) && <Latest id={node.id} count={into.reduce((sum, edge) => sum + edge.count, 0)} />}
      </div>
    </aside>
  );
}

function Held({ id }: { id: string }) {
  const count = Object.values(store.tables.letters).filter((letter) => letter.subscription === id).length;
  return count ? <p class="why wait"><a href="#/letters">{many(count, "dead letter")}</a> of it</p> : null;
}

function Flows({ title, edges, end }: { title: string; edges: Edge[]; end: "from" | "to" }) {
  if (!edges.length) return null;
  return (
    <div>
      <h3>{title}</h3>
      <ul class="plain small">
        {edges.map((edge) => (
          <li key={edge.id}>
            <span class="item-head">
              <NodeLink node={store.tables.nodes[edge[end]]} id={edge[end]} />
              <span class="quiet">{edge.kind} {edge.label && <span class="mono">{edge.label}</span>}</span>
              <span class="number push"><small>{edge.count}</small></span>
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** The newest events of a broker or channel; asked again when more came, not oftener than each two seconds. */
function Latest({ id, count }: { id: string; count: number }) {
  const [events, setEvents] = useState<KeptEvent[] | null>(null);
  const [words, setWords] = useState("");
  const there = useRef(count);
  there.current = count;
  useEffect(() => {
    let [alive, asking, asked] = [true, false, -1];
    const look = async () => {
      if (asking || document.hidden || asked === there.current) return;
      [asking, asked] = [true, there.current];
      try {
        const answer = await ask<{ events: KeptEvent[] }>("/api/events", { place: id, limit: "50" });
        if (alive) (setEvents(answer.events), setWords(""));
      } catch (error) {
        if (alive) setWords((error as Refused).message);
      }
      asking = false;
    };
    void look();
    const timer = setInterval(look, AGAIN_MS);
    return () => {
      alive = false;
      clearInterval(timer);
    };
  }, [id]);
  return (
    <div>
      <h3>Newest events</h3>
      {words && <p class="why bad">{words}</p>}
      {events && !events.length && <p class="quiet">None yet.</p>}
      <ul class="plain small events">
        {newest(events ?? []).map((event) => (
          <li key={event.position}>
            <a class="item-head" href={eventHref(event.attributes.id)} data-line>
              <b class="mono">{event.attributes.type}</b>
              <span class="quiet clip">{event.attributes.id}</span>
              <Outcomes outcomes={event.outcomes} />
              <span class="quiet push">{age(store.now() - Date.parse(event.arrivedAt) / 1000)} ago</span>
            </a>
          </li>
        ))}
      </ul>
    </div>
  );
}

const newest = (events: KeptEvent[]) => [...events].sort((left, right) => (left.arrivedAt < right.arrivedAt ? 1 : -1));

function Outcomes({ outcomes }: { outcomes: Record<string, string> | undefined }) {
  const bad = Object.values(outcomes ?? {}).filter((outcome) => !["delivered", "matched", "pending"].includes(outcome));
  return bad.length ? <span class="chip warm">{[...new Set(bad)].join(", ")}</span> : null;
}
