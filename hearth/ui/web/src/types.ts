// What the server sends, row by row. Times are seconds since 1970.

export type Ready = "True" | "False" | "Unknown" | "";

export interface Named {
  namespace: string;
  name: string;
}

export interface Told {
  ready: Ready;
  /** A sentence for people; empty when all is well. */
  words: string;
}

export interface Share {
  revision: string;
  percent: number | null;
  tag?: string | null;
  url?: string | null;
  latest?: boolean;
}

/** An entry of spec.traffic as it is written. */
export interface Wanted {
  revisionName?: string;
  latestRevision?: boolean;
  percent?: number | null;
  tag?: string | null;
}

export interface Service extends Named, Told {
  url: string;
  created: number | null;
  generation: number;
  latest: string;
  traffic: Share[];
  wanted: Wanted[];
}

export interface Revision extends Named, Told {
  service: string;
  created: number | null;
  number: number;
  image: string;
  desired: number | null;
  actual: number | null;
  limit: number | null;
  min: number | null;
  max: number | null;
}

export type PodState = "starting" | "ready" | "unready" | "ending" | "failed" | "done";

export interface Pod extends Named {
  service: string;
  revision: string;
  state: PodState;
  words: string;
  created: number | null;
  readyAt: number | null;
  restarts: number;
  containers: string[];
}

export interface Rate {
  namespace: string;
  revision: string;
  service: string;
  rps: number;
  errors: number;
  active: number;
  queued: number;
  p50: number | null;
  p99: number | null;
  cold: number;
  coldSeconds: number | null;
}

export interface Node extends Told {
  id: string;
  kind: string;
  name: string;
  failed?: number;
  dropped?: number;
}

export interface Edge {
  id: string;
  from: string;
  to: string;
  kind: string;
  label: string;
  count: number;
  rate: number;
}

export interface Letter {
  id: string;
  place: string;
  position: string;
  subscription: string;
  outcome: string;
  at: number | null;
  event: { id: string; type: string; source: string };
  status: number | null;
  error: string;
  sink: string;
  words: string;
}

export interface Source extends Named, Told {
  kind: string;
  sink: string;
}

export interface Scaled extends Named, Told {
  kind: string;
  target: string;
  active: boolean | null;
  paused: boolean;
  min: number | null;
  max: number | null;
}

export interface Run extends Named {
  pipeline: string;
  phase: string;
  words: string;
  started: number | null;
  ended: number | null;
}

export interface Note {
  words: string;
}

export type Rows<T> = Readonly<Record<string, T>>;

export interface Tables {
  services: Rows<Service>;
  revisions: Rows<Revision>;
  pods: Rows<Pod>;
  rates: Rows<Rate>;
  nodes: Rows<Node>;
  edges: Rows<Edge>;
  letters: Rows<Letter>;
  sources: Rows<Source>;
  scaled: Rows<Scaled>;
  runs: Rows<Run>;
  notes: Rows<Note>;
}

export interface Me {
  role: "writer" | "reader";
  words?: string;
  place: string;
  version: string;
  gateway: string;
}

export interface Snapshot {
  at: number;
  me: Me;
  tables: Partial<Tables>;
}

export interface Delta {
  at: number;
  rows: Partial<{ [T in keyof Tables]: Record<string, Tables[T][string] | null> }>;
}

export interface EventAttributes {
  id: string;
  type: string;
  source: string;
  [name: string]: string;
}

export interface KeptEvent {
  position: string;
  arrivedAt: string;
  attributes: EventAttributes;
  bytes: number;
  outcomes?: Record<string, string>;
}

export interface Attempt {
  at: string;
  number: number;
  url: string;
  status: number | null;
  error: string;
  seconds: number;
  retryAt: string | null;
  hop?: string;
}

export interface Leg {
  name: string;
  matched: boolean;
  outcome?: string;
  attempts?: Attempt[];
  replies?: { at: string; id: string; source: string; type: string }[];
  clause?: string;
  reason?: string;
}

export interface Journey {
  place: string;
  arrivedAt: string;
  attributes: EventAttributes;
  subscriptions: Leg[];
}

export interface Trace {
  journeys: Journey[];
  kept: boolean;
  lost: number;
  text: string;
}
