// The first screen: what runs, whether it is well, where it is reached.
import { useState } from "preact/hooks";
import { duration, many, rate, sentence, short } from "../core/format.ts";
import { added, grid, sampled } from "../core/history.ts";
import { serviceHref } from "../core/route.ts";
import { Command, Copy } from "../parts/copy.tsx";
import { Embers } from "../parts/embers.tsx";
import { memo } from "../parts/memo.ts";
import { Spark } from "../parts/spark.tsx";
import { healthOf, Mark } from "../parts/state.tsx";
import { store, useSeconds, useStore } from "../store.ts";
import type { Pod, Rate, Service } from "../types.ts";
import { Empty, keyOf, matches, Title, Value, Where } from "./common.tsx";

const SPARK_SECONDS = 60;
const PAGE = 100;

export function Services() {
  const { tables } = useStore();
  const now = useSeconds();
  const [filter, setFilter] = useState("");
  const [most, setMost] = useState(PAGE);
  const services = Object.values(tables.services);
  // What Hearth itself wakes, such as this page, is no Service of anybody.
  const known = Object.values(tables.rates).filter((row) => `${row.namespace}/${row.service}` in tables.services);
  const rates = grouped(known);
  const pods = grouped(Object.values(tables.pods));
  if (!services.length) return <Nothing />;
  const shown = services.filter((row) => matches(filter, row.name, row.namespace, row.url)).sort(byTrouble);
  return (
    <>
      <Title>Services</Title>
      <Notes />
      <Summary services={services} rates={known} pods={Object.values(tables.pods)} letters={Object.keys(tables.letters).length} />
      <div class="tools">
        <input data-filter type="search" placeholder="Filter by name" aria-label="Filter services by name" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        <span class="found" role="status">{filter ? `${shown.length} of ${many(services.length, "service")}` : ""}</span>
      </div>
      <div class="services-head" aria-hidden="true">
        <span>Service</span>
        <span>Traffic</span>
        <span>Requests</span>
        <span class="right">p50</span>
        <span class="right">p99</span>
        <span>Pods</span>
      </div>
      <ul class="services" aria-label="Services">
        {shown.slice(0, most).map((row) => (
          <Line key={keyOf(row)} row={row} rates={rates.get(keyOf(row)) ?? []} pods={pods.get(keyOf(row)) ?? []} second={Math.floor(now)} />
        ))}
      </ul>
      {!shown.length && <Empty title={`No service is called like “${filter}”.`} />}
      {shown.length > most && <button class="button" onClick={() => setMost(most + PAGE)}>Show {Math.min(PAGE, shown.length - most)} more</button>}
    </>
  );
}

function Nothing() {
  return (
    <>
      <Title>Services</Title>
      <Notes />
      <Empty title="Nothing is deployed yet.">
        <p>In a folder with code, or with one file:</p>
        <Command text="hearth deploy" />
        <p>It finds out what runs there, builds it, and prints its URL. It appears here as soon as it exists.</p>
      </Empty>
    </>
  );
}

export function Notes() {
  const notes = Object.values(store.tables.notes);
  if (!notes.length) return null;
  return <ul class="notes" aria-label="Notes">{notes.map((note) => <li key={note.words}>{note.words}</li>)}</ul>;
}

interface SummaryProps {
  services: Service[];
  rates: Rate[];
  pods: Pod[];
  letters: number;
}

function Summary({ services, rates, pods, letters }: SummaryProps) {
  const trouble = services.filter((row) => row.ready === "False").length;
  const waiting = services.filter((row) => row.ready === "Unknown").length;
  const sum = (pick: (row: Rate) => number) => rates.reduce((total, row) => total + pick(row), 0);
  const errors = sum((row) => row.errors);
  const slowest = Math.max(0, ...rates.map((row) => row.p99 ?? 0));
  const awake = pods.filter((pod) => pod.state === "ready").length;
  return (
    <dl class="summary">
      <Figure word="Health" value={trouble ? `${trouble}` : waiting ? `${waiting}` : "All well"} small={trouble ? (trouble === 1 ? "needs a look" : "need a look") : waiting ? "not ready yet" : `${services.length} ready`} tone={trouble ? "bad" : waiting ? "wait" : "good"} />
      <Figure word="Requests" value={rate(sum((row) => row.rps))} small="a second" />
      <Figure word="Errors" value={rate(errors)} small="a second" tone={errors ? "bad" : ""} />
      <Figure word="Slowest p99" value={duration(slowest || null)} />
      <Figure word="Pods awake" value={`${awake}`} small={pods.length > awake ? `${pods.length - awake} on the way` : ""} />
      <Figure word="Cold requests" value={`${sum((row) => row.cold)}`} />
      <Figure word="Dead letters" value={`${letters}`} tone={letters ? "wait" : ""} />
    </dl>
  );
}

export function Figure({ word, value, small, tone = "" }: { word: string; value: string; small?: string; tone?: string }) {
  return (
    <div class={`figure ${tone}`}>
      <dt>{word}</dt>
      <dd>
        {value}
        {small && <small>{small}</small>}
      </dd>
    </div>
  );
}

interface LineProps {
  row: Service;
  rates: Rate[];
  pods: Pod[];
  second: number;
}

const Line = memo(function Line({ row, rates, pods, second }: LineProps) {
  const times = grid(second, SPARK_SECONDS);
  const health = healthOf(row);
  const rps = rates.reduce((sum, each) => sum + each.rps, 0);
  const busiest = [...rates].sort((left, right) => right.rps - left.rps)[0];
  const columns = rates.map((each) => sampled(store.rates.get(`${each.namespace}/${each.revision}`), times, (value) => value.rps));
  return (
    <li class="service-line">
      <div class="cell-name">
        <Mark health={health} />
        <a class="name" data-line href={serviceHref(row.namespace, row.name)}>{row.name}</a>
        <Where namespace={row.namespace} />
        {row.url && (
          <span class="url">
            <a href={row.url} target="_blank" rel="noreferrer">{row.url.replace(/^https?:\/\//, "")}</a>
            <Copy text={row.url} what={`the URL of ${row.name}`} />
          </span>
        )}
      </div>
      <Shares row={row} />
      <div class="cell-rate">
        <Spark values={added(columns)} />
        <Value what="requests a second">{rate(rps)}<small aria-hidden="true">/s</small></Value>
      </div>
      <Value kind="cell-p50" what="p50">{duration(busiest?.p50)}</Value>
      <Value kind="cell-p99" what="p99">{duration(busiest?.p99)}</Value>
      <div class="cell-pods"><Embers pods={pods} /></div>
      {row.words && <p class={`why ${health}`}>{sentence(row.words)}</p>}
    </li>
  );
});

/** Who gets which part, as a bar and in words. */
export function Shares({ row }: { row: Service }) {
  const shares = row.traffic.filter((share) => share.percent);
  return (
    <div class="cell-shares">
      <span class={shares.length === 1 ? "share-bar whole" : "share-bar"} aria-hidden="true">
        {shares.map((share, index) => (
          <i key={`${share.revision}${share.tag}`} class={`series-${(index % 6) + 1}`} style={{ flexGrow: String(share.percent) }} />
        ))}
      </span>
      <span class="share-words">
        {shares.map((share) => (
          <span key={`${share.revision}${share.tag}`}>{short(share.revision, row.name)} <b>{share.percent}%</b></span>
        ))}
        {!shares.length && <span>no traffic yet</span>}
      </span>
    </div>
  );
}

function byTrouble(left: Service, right: Service): number {
  const rank = (row: Service) => (row.ready === "False" ? 0 : 1);
  return rank(left) - rank(right) || (keyOf(left) < keyOf(right) ? -1 : 1);
}

export function grouped<T extends { namespace: string; service: string }>(rows: T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const key = `${row.namespace}/${row.service}`;
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return groups;
}
