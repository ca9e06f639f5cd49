// Traffic by revision as it flows, and the sliders that split it.
import { useEffect, useState } from "preact/hooks";
import { Refused, write } from "../api.ts";
import { duration, listed, many, rate, short } from "../core/format.ts";
import { lanesOf, speed, wantedOf, type Lane } from "../core/lanes.ts";
import { percentsOf, rebalanced, sameSplit, withPercents } from "../core/split.ts";
import { Embers } from "../parts/embers.tsx";
import { say } from "../parts/toasts.tsx";
import { store } from "../store.ts";
import type { Pod, Rate, Revision, Service, Wanted } from "../types.ts";
import { Value } from "./common.tsx";

interface Props {
  row: Service;
  rates: Rate[];
  revisions: Revision[];
  pods: Pod[];
  palette: Map<string, number>;
}

/** What somebody has begun to change, and from what. */
interface Draft {
  base: Wanted[];
  generation: number;
  wanted: Wanted[];
}

export function Traffic({ row, rates, revisions, pods, palette }: Props) {
  const [draft, setDraft] = useState<Draft | null>(null);
  const [busy, setBusy] = useState(false);
  const reader = store.me?.role !== "writer";
  const written = wantedOf(row);
  const wanted = draft?.wanted ?? written;
  const percents = percentsOf(wanted);
  const lanes = lanesOf(draft ? { ...row, wanted } : row, rates, revisions);
  const overtaken = draft !== null && !sameSplit(draft.base, written);
  useEffect(() => {
    if (draft && sameSplit(draft.wanted, written)) setDraft(null);
  }, [row.generation]);
  const edit = (entries: Wanted[]) =>
    setDraft(sameSplit(entries, written) ? null : { base: draft?.base ?? written, generation: draft?.generation ?? row.generation, wanted: entries });
  const slide = (index: number, value: number) => edit(withPercents(wanted, rebalanced(percents, index, value)));
  const apply = async () => {
    setBusy(true);
    const status = await send(row, draft!.wanted, draft!.generation, written);
    // Where the Service was changed meanwhile, but not its split, the next try counts from what it is now.
    setDraft((old) => (status === WRITTEN || !old ? null : { ...old, generation: current(row)?.generation ?? old.generation }));
    setBusy(false);
  };
  const taken = new Set(wanted.map((entry) => entry.revisionName ?? row.latest));
  const free = revisions.filter((each) => each.ready === "True" && !taken.has(each.name));
  return (
    <section class="traffic" aria-labelledby="traffic-title">
      <div class="section-head">
        <h2 id="traffic-title">Traffic</h2>
        {!reader && free.length > 0 && <Add revisions={free} row={row} onAdd={(name) => edit([...wanted, { revisionName: name, percent: 0 }])} />}
        {reader && <p class="quiet" id="reader-why">{store.me?.words || "You may look, and not change anything."}</p>}
      </div>
      <div class="lanes-head" aria-hidden="true">
        <span class="span-2">Revision</span>
        <span>Share</span>
        <span class="right">Requests</span>
        <span class="right">p50</span>
        <span class="right">p99</span>
        <span class="right">Cold requests</span>
        <span>Pods</span>
      </div>
      <ul class="lanes">
        {lanes.map((lane) => (
          <LaneRow
            key={lane.key}
            lane={lane}
            row={row}
            colour={palette.get(lane.revision) ?? 1}
            percent={lane.index === null ? 0 : percents[lane.index]!}
            alone={wanted.length < 2}
            reader={reader}
            pods={lane.rate || lane.index !== null ? pods.filter((pod) => pod.revision === lane.revision) : []}
            onSlide={(value) => slide(lane.index!, value)}
          />
        ))}
      </ul>
      {draft && <Pending draft={draft} row={row} overtaken={overtaken} busy={busy} onApply={apply} onDrop={() => setDraft(null)} />}
    </section>
  );
}

interface LaneProps {
  lane: Lane;
  row: Service;
  colour: number;
  percent: number;
  alone: boolean;
  reader: boolean;
  pods: Pod[];
  onSlide: (value: number) => void;
}

function LaneRow({ lane, row, colour, percent, alone, reader, pods, onSlide }: LaneProps) {
  const name = short(lane.revision, row.name) || "not ready yet";
  const now = lane.rate;
  return (
    <li class={`lane series-${colour}`} data-speed={speed(now?.rps ?? 0)}>
      <Flow share={lane.percent} />
      <div class="lane-name">
        <b class="mono">{name}</b>
        {lane.latest && <span class="chip">latest</span>}
        {lane.tag && (lane.url ? <a class="chip" href={lane.url} target="_blank" rel="noreferrer">{lane.tag}</a> : <span class="chip">{lane.tag}</span>)}
        {lane.index === null && <span class="chip">not in the split</span>}
      </div>
      <Share name={lane.latest ? `the latest revision, ${name}` : name} percent={percent} is={lane.percent} fixed={lane.index === null || alone} reader={reader} onSlide={onSlide} />
      <Value what="requests">{rate(now?.rps ?? 0)}<small>/s</small>{now && now.errors > 0 ? <em class="errors">{rate(now.errors)}/s failed</em> : null}</Value>
      <Value what="p50">{duration(now?.p50)}</Value>
      <Value what="p99">{duration(now?.p99)}</Value>
      <Value what="cold">{now?.cold ?? 0}{now?.coldSeconds ? <small> {duration(now.coldSeconds)}</small> : null}</Value>
      <div class="lane-pods">
        <Embers pods={pods} />
        {now && now.queued > 0 ? <span class="quiet">{many(now.queued, "request waits", "requests wait")}</span> : null}
      </div>
    </li>
  );
}

/** The branch from the gateway; as thick as the share, as fast as the requests. */
function Flow({ share }: { share: number }) {
  const width = share > 0 ? 1.5 + (share / 100) * 6 : 1;
  return (
    <svg class={share > 0 ? "flow" : "flow dry"} viewBox="0 0 64 40" preserveAspectRatio="none" aria-hidden="true" focusable="false">
      <line class="flow-bed" x1="0" y1="20" x2="64" y2="20" stroke-width={width} />
      <line class="flow-run" x1="0" y1="20" x2="64" y2="20" stroke-width={Math.max(2.5, width * 0.6)} />
    </svg>
  );
}

interface ShareProps {
  name: string;
  percent: number;
  is: number;
  fixed: boolean;
  reader: boolean;
  onSlide: (value: number) => void;
}

function Share({ name, percent, is, fixed, reader, onSlide }: ShareProps) {
  if (fixed) return <div class="share"><span class="share-fixed number">{percent}%</span></div>;
  const common = {
    min: 0,
    max: 100,
    value: percent,
    disabled: reader,
    "aria-describedby": reader ? "reader-why" : undefined,
    onInput: (event: { currentTarget: HTMLInputElement }) => {
      const value = event.currentTarget.valueAsNumber;
      if (Number.isFinite(value)) onSlide(value);
    },
  };
  return (
    <div class="share">
      <input type="range" {...common} aria-label={`Share of ${name}`} aria-valuetext={`${percent} percent`} style={{ "--part": `${percent}%` }} />
      <input type="number" {...common} aria-label={`Share of ${name}, in percent`} />
      <span class="share-sign">%</span>
      {is !== percent && <span class="share-is" title="What the route does now">now {is}%</span>}
    </div>
  );
}

function Add({ revisions, row, onAdd }: { revisions: Revision[]; row: Service; onAdd: (name: string) => void }) {
  return (
    <select
      class="add"
      aria-label="Add a revision to the split"
      value=""
      onChange={(event) => {
        if (event.currentTarget.value) onAdd(event.currentTarget.value);
        event.currentTarget.value = "";
      }}
    >
      <option value="">Add a revision…</option>
      {revisions.map((each) => (
        <option key={each.name} value={each.name}>{short(each.name, row.name)}</option>
      ))}
    </select>
  );
}

interface PendingProps {
  draft: Draft;
  row: Service;
  overtaken: boolean;
  busy: boolean;
  onApply: () => void;
  onDrop: () => void;
}

function Pending({ draft, row, overtaken, busy, onApply, onDrop }: PendingProps) {
  return (
    <div class={overtaken ? "pending bad" : "pending"} role="group" aria-label="A split that is not written yet">
      <p role="status">
        {overtaken ? (
          <>Somebody changed the split meanwhile: it is now {inWords(wantedOf(row), row)}. Yours is not written.</>
        ) : (
          <>Not written yet: {inWords(draft.wanted, row)}.</>
        )}
      </p>
      <div class="buttons">
        <button class="button" onClick={onDrop}>{overtaken ? "Begin with what is there" : "Undo"}</button>
        {!overtaken && <button class="button main" disabled={busy} onClick={onApply}>{busy ? "Writing…" : "Apply the split"}</button>}
      </div>
    </div>
  );
}

export function inWords(wanted: Wanted[], row: Service): string {
  const parts = wanted
    .filter((entry) => entry.percent)
    .map((entry) => `${entry.percent}% to ${entry.revisionName ? short(entry.revisionName, row.name) : `the latest (${short(row.latest, row.name)})`}`);
  return listed(parts);
}

const WRITTEN = 200;

const current = (row: Service): Service | undefined => store.tables.services[`${row.namespace}/${row.name}`];

/** Writes a split; returns the answer's status. What was there before can be had back. */
async function send(row: Service, wanted: Wanted[], generation: number, before: Wanted[]): Promise<number> {
  const traffic = wanted.filter((entry) => entry.percent || entry.tag).map(cleaned);
  try {
    await write("/api/traffic", { namespace: row.namespace, service: row.name, generation, traffic });
  } catch (error) {
    say(`Not written. ${(error as Refused).message}`, { bad: true });
    return (error as Refused).status;
  }
  const undo = () => {
    const now = current(row);
    if (now) void send(now, before, now.generation, wantedOf(now));
  };
  say(`Written: ${inWords(wanted, row)}.`, { undo });
  return WRITTEN;
}

function cleaned(entry: Wanted): Wanted {
  const target = entry.revisionName ? { revisionName: entry.revisionName } : { latestRevision: true };
  return { ...target, percent: entry.percent ?? 0, ...(entry.tag ? { tag: entry.tag } : {}) };
}

