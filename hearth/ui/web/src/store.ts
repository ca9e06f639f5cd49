// What is known now, and who wants to hear of it. One store; a view is drawn at most once a frame.
import { useEffect, useReducer } from "preact/hooks";
import { Series } from "./core/history.ts";
import { emptyTables, ofSnapshot, withDelta } from "./core/tables.ts";
import type { Delta, Me, Rate, Snapshot, Tables } from "./types.ts";

export type Link = "connecting" | "live" | "lost";

class Store {
  tables: Tables = emptyTables();
  me: Me | null = null;
  link: Link = "connecting";
  /** The server's time of the last message, and ours when it came (seconds of performance.now). */
  at = 0;
  heard = 0;
  readonly rates = new Map<string, Series<Rate>>();
  /** Pods that are ready, by service. */
  readonly awake = new Map<string, Series<number>>();
  private readonly listeners = new Set<() => void>();
  private drawing = false;

  snapshot(snapshot: Snapshot): void {
    this.me = snapshot.me;
    this.tables = ofSnapshot(snapshot);
    this.hear(snapshot.at);
    for (const [key, row] of Object.entries(this.tables.rates)) this.series(this.rates, key).add(this.at, row);
    this.countAwake();
    this.changed();
  }

  delta(delta: Delta): void {
    this.tables = withDelta(this.tables, delta);
    this.hear(delta.at);
    for (const [key, row] of Object.entries(delta.rows.rates ?? {})) {
      if (row) this.series(this.rates, key).add(this.at, row);
      else this.rates.delete(key);
    }
    if (delta.rows.pods || delta.rows.services) this.countAwake();
    this.changed();
  }

  hear(at: number): void {
    this.at = at;
    this.heard = performance.now() / 1000;
    this.linked("live");
  }

  linked(link: Link): void {
    if (this.link === link) return;
    this.link = link;
    if (link === "lost") {
      // What happens meanwhile is not known; a plot must not go on as if it were.
      for (const series of [...this.rates.values(), ...this.awake.values()]) series.add(this.at, null);
    }
    this.changed();
  }

  /** The server's time now, as far as we know it; it stands still while the line is down. */
  now(): number {
    return this.link === "live" ? this.at + performance.now() / 1000 - this.heard : this.at;
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  changed(): void {
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      for (const listener of [...this.listeners]) listener();
    });
  }

  private countAwake(): void {
    const counts: Record<string, number> = {};
    for (const key of Object.keys(this.tables.services)) counts[key] = 0;
    for (const pod of Object.values(this.tables.pods)) {
      const key = `${pod.namespace}/${pod.service}`;
      if (pod.state === "ready" && key in counts) counts[key]! += 1;
    }
    for (const key of this.awake.keys()) if (!(key in counts)) this.awake.delete(key);
    for (const [key, count] of Object.entries(counts)) {
      const series = this.series(this.awake, key);
      if (series.last !== count) series.add(this.at, count);
    }
  }

  private series<T>(of: Map<string, Series<T>>, key: string): Series<T> {
    let found = of.get(key);
    if (!found) of.set(key, (found = new Series<T>()));
    return found;
  }
}

export const store = new Store();

/** Draws the component anew whenever something changed. */
export function useStore(): Store {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => store.subscribe(() => redraw(undefined)), []);
  return store;
}

/** Draws the component anew each second, while somebody sees the page. */
export function useSeconds(): number {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const timer = setInterval(() => document.hidden || redraw(undefined), 1000);
    return () => clearInterval(timer);
  }, []);
  return store.now();
}
