// The last minutes of a Service: requests, latency, pods. Begins when the page is opened.
import { useState } from "preact/hooks";
import { duration, many, rate, short } from "../core/format.ts";
import { added, grid, sampled } from "../core/history.ts";
import { Chart, type Line } from "../parts/chart.tsx";
import { store } from "../store.ts";
import type { Rate, Revision, Service } from "../types.ts";

interface Props {
  row: Service;
  revisions: Revision[];
  palette: Map<string, number>;
  now: number;
}

const SPANS = [60, 300];
const MOST_LINES = 6;

export function Charts({ row, revisions, palette, now }: Props) {
  const [seconds, setSeconds] = useState(SPANS[0]!);
  const times = grid(now, seconds);
  const seen = revisions.filter((each) => store.rates.has(`${each.namespace}/${each.name}`)).slice(0, MOST_LINES).reverse();
  const lines = (pick: (value: Rate) => number | null, suffix = "", dashed = false): Line[] =>
    seen.map((each) => ({
      label: `${short(each.name, row.name)}${suffix}`,
      colour: `--series-${palette.get(each.name) ?? 1}`,
      dashed,
      values: sampled(store.rates.get(`${each.namespace}/${each.name}`), times, pick),
    }));
  const requests = lines((value) => value.rps);
  const p50 = lines((value) => value.p50, " p50");
  const p99 = lines((value) => value.p99, " p99", true);
  const pods: Line[] = [{ label: "awake", colour: "--ember", values: sampled(store.awake.get(`${row.namespace}/${row.name}`), times, (value) => value) }];
  return (
    <section aria-labelledby="charts-title">
      <div class="section-head">
        <h2 id="charts-title">The last minutes</h2>
        <div class="switch" role="group" aria-label="How far back">
          {SPANS.map((span) => (
            <button key={span} class="button small" aria-pressed={span === seconds} onClick={() => setSeconds(span)}>
              {span / 60} min
            </button>
          ))}
        </div>
      </div>
      <div class="charts">
        <Chart title="Requests a second" times={times} lines={requests} format={rate} words={rateWords(requests)} />
        <Chart title="Latency" times={times} lines={[...p50, ...p99]} format={duration} words={latencyWords(p99)} />
        <Chart title="Pods awake" whole times={times} lines={pods} format={(value) => value.toFixed(0)} words={podWords(pods[0]!)} />
      </div>
    </section>
  );
}

const known = (values: (number | null)[]) => values.filter((value) => value !== null);

function rateWords(lines: Line[]): string {
  const all = known(added(lines.map((line) => line.values)));
  if (!all.some(Boolean)) return "none";
  return `${rate(all.at(-1)!)}/s now, ${rate(Math.max(...all))}/s at most`;
}

function latencyWords(lines: Line[]): string {
  const all = lines.flatMap((line) => known(line.values));
  if (!all.length) return "no requests";
  const now = lines.map((line) => line.values.at(-1) ?? null).filter((value) => value !== null);
  const worst = `p99 ${duration(Math.max(...all))} at most`;
  return now.length ? `p99 ${duration(Math.max(...now))} now, ${worst}` : worst;
}

function podWords(line: Line): string {
  const all = known(line.values);
  const now = all.at(-1) ?? 0;
  const most = Math.max(0, ...all);
  return `${now ? many(now, "pod") : "asleep"}${most > now ? `, ${most} at most` : ""}`;
}
