// The tables of the stream, applied. Pure: what did not change keeps its identity.
import type { Delta, Snapshot, Tables } from "../types.ts";

const NAMES: (keyof Tables)[] = [
  "services", "revisions", "pods", "rates", "nodes", "edges", "letters", "sources", "scaled", "runs", "notes",
];

export function emptyTables(): Tables {
  return Object.fromEntries(NAMES.map((name) => [name, {}])) as unknown as Tables;
}

export function ofSnapshot(snapshot: Snapshot): Tables {
  return { ...emptyTables(), ...snapshot.tables };
}

export function withDelta(tables: Tables, delta: Delta): Tables {
  const next = { ...tables };
  for (const name of NAMES) {
    const changes = delta.rows[name];
    if (changes) Object.assign(next, { [name]: merged(tables[name], changes) });
  }
  return next;
}

function merged(rows: Readonly<Record<string, unknown>>, changes: Readonly<Record<string, unknown>>) {
  const next = { ...rows };
  for (const [key, row] of Object.entries(changes)) {
    if (row === null) delete next[key];
    else next[key] = row;
  }
  return next;
}
