// The line to the server: dials by itself, again and again, and says when what is shown is old.
import { store } from "./store.ts";
import type { Delta, Snapshot } from "./types.ts";

const SILENCE_SECONDS = 25;
const HIDDEN_SECONDS = 30;
const PAUSES = [0.5, 1, 2, 4, 8];

let source: EventSource | null = null;
let attempts = 0;
let redial: ReturnType<typeof setTimeout> | undefined;
let hiding: ReturnType<typeof setTimeout> | undefined;

export function begin(): void {
  document.addEventListener("visibilitychange", seen);
  window.addEventListener("online", () => dial());
  window.addEventListener("pagehide", hangUp);
  setInterval(watch, 5000);
  dial();
}

export function dial(): void {
  hangUp();
  const line = new EventSource("/api/stream");
  source = line;
  const on = <T,>(name: string, act: (data: T) => void) =>
    line.addEventListener(name, (event) => {
      attempts = 0;
      act(JSON.parse((event as MessageEvent<string>).data) as T);
    });
  on<Snapshot>("snapshot", (data) => store.snapshot(data));
  on<Delta>("delta", (data) => store.delta(data));
  on<{ at: number }>("beat", (data) => store.hear(data.at));
  line.addEventListener("error", () => line === source && failed(line));
}

function failed(line: EventSource): void {
  if (store.me) store.linked("lost");
  if (line.readyState !== EventSource.CLOSED) return; // the browser dials by itself
  void signedOut();
  again();
}

function again(): void {
  clearTimeout(redial);
  const pause = PAUSES[Math.min(attempts, PAUSES.length - 1)]!;
  attempts += 1;
  redial = setTimeout(dial, pause * 1000);
}

/** A session that is over cannot be seen by an EventSource: a question is answered by 401 then. */
async function signedOut(): Promise<void> {
  const answer = await fetch("/api/me", { cache: "no-store" }).catch(() => null);
  if (answer?.status === 401) location.reload();
}

function hangUp(): void {
  clearTimeout(redial);
  source?.close();
  source = null;
}

function watch(): void {
  if (!source || store.link !== "live") return;
  if (performance.now() / 1000 - store.heard < SILENCE_SECONDS) return;
  store.linked("lost");
  dial();
}

/** Nobody looks: nobody is told, and the server does nothing for us. */
function seen(): void {
  clearTimeout(hiding);
  if (document.hidden) {
    hiding = setTimeout(() => {
      hangUp();
      store.linked("lost");
    }, HIDDEN_SECONDS * 1000);
  } else if (!source) {
    dial();
  }
}
