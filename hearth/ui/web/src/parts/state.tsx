// How something is: a mark with a shape and a colour, and a word for who sees neither.
import { sentence } from "../core/format.ts";
import type { Ready, Told } from "../types.ts";

export type Health = "good" | "wait" | "bad" | "rest";

const WORDS: Record<Health, string> = { good: "ready", wait: "not ready yet", bad: "needs a look", rest: "asleep" };

export function healthOf(row: { ready: Ready }): Health {
  return row.ready === "True" ? "good" : row.ready === "False" ? "bad" : row.ready === "Unknown" ? "wait" : "rest";
}

export function Mark({ health, word }: { health: Health; word?: string }) {
  return (
    <span class={`mark ${health}`}>
      <svg viewBox="0 0 12 12" aria-hidden="true" focusable="false">
        {health === "good" && <circle cx="6" cy="6" r="4" />}
        {health === "wait" && <circle class="hollow turning" cx="6" cy="6" r="4" />}
        {health === "rest" && <circle class="hollow" cx="6" cy="6" r="4" />}
        {health === "bad" && <path d="M6 .8 11.600 11H.4z" />}
      </svg>
      <span class="unseen">{word ?? WORDS[health]}</span>
    </span>
  );
}

/** Mark, word and reason, in a line. */
export function State({ row, good = "Ready" }: { row: Told; good?: string }) {
  const health = healthOf(row);
  const word = { good, wait: "Not ready yet", bad: "Needs a look", rest: "No status yet" }[health];
  return (
    <span class={`state ${health}`}>
      <Mark health={health} word="" />
      <span class="state-word">{word}</span>
      {row.words && <span class="state-why">{sentence(row.words)}</span>}
    </span>
  );
}
