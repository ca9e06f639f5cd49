// The rows of a Service's traffic: what is written, what is, and what flows, side by side. Pure.
import type { Rate, Revision, Service, Wanted } from "../types.ts";
import { entryKey } from "./split.ts";

export interface Lane {
  key: string;
  revision: string;
  /** Where the entry is in spec.traffic; null: it flows, and is not written there (any more). */
  index: number | null;
  latest: boolean;
  tag: string;
  url: string;
  /** What the Route does now. */
  percent: number;
  rate: Rate | null;
}

export function lanesOf(service: Service, rates: Rate[], revisions: Revision[]): Lane[] {
  const rateOf = new Map(rates.map((rate) => [rate.revision, rate]));
  const seen = new Set<string>();
  const lanes = wantedOf(service).map((entry, index): Lane => {
    const revision = entry.latestRevision || !entry.revisionName ? service.latest : entry.revisionName;
    const share = service.traffic.find((each) => each.revision === revision && (each.tag ?? "") === (entry.tag ?? ""));
    const first = !seen.has(revision);
    seen.add(revision);
    return {
      key: entryKey(entry),
      revision,
      index,
      latest: !entry.revisionName,
      tag: entry.tag ?? "",
      url: share?.url ?? "",
      percent: share?.percent ?? 0,
      rate: first ? (rateOf.get(revision) ?? null) : null,
    };
  });
  const rest = revisions.filter((row) => !seen.has(row.name) && (busy(rateOf.get(row.name)) || (row.actual ?? 0) > 0));
  return [...lanes, ...rest.map((row) => leaving(row.name, rateOf.get(row.name) ?? null))];
}

/** spec.traffic, or what stands for it where none is written. */
export function wantedOf(service: Service): Wanted[] {
  return service.wanted.length ? service.wanted : [{ latestRevision: true, percent: 100 }];
}

function busy(rate: Rate | undefined): boolean {
  return rate !== undefined && (rate.rps > 0 || rate.active > 0);
}

function leaving(revision: string, rate: Rate | null): Lane {
  return { key: `rest ${revision}`, revision, index: null, latest: false, tag: "", url: "", percent: 0, rate };
}

/** Which colour a revision has, from 1 to 6, wherever it is drawn. */
export function colours(service: Service, revisions: Revision[]): Map<string, number> {
  const names = [...service.traffic.map((share) => share.revision), ...revisions.map((row) => row.name)];
  return new Map([...new Set(names)].map((name, index) => [name, (index % 6) + 1]));
}

/** How fast a lane moves: 0 rests, 5 hurries. */
export function speed(perSecond: number): number {
  return perSecond <= 0 ? 0 : Math.min(5, 1 + Math.floor(Math.log10(1 + perSecond) * 1.6));
}
