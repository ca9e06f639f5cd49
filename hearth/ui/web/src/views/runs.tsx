// Runs of pipelines, in a line each, newest first.
import { age, clock, duration } from "../core/format.ts";
import { Command } from "../parts/copy.tsx";
import { Mark, type Health } from "../parts/state.tsx";
import { useSeconds, useStore } from "../store.ts";
import type { Run } from "../types.ts";
import { Empty, keyOf, Title, Where } from "./common.tsx";

const HEALTH: Record<string, Health> = { Succeeded: "good", Failed: "bad", Running: "wait", Pending: "wait" };

export function Runs() {
  const { tables } = useStore();
  const now = useSeconds();
  const rows = Object.values(tables.runs).sort((left, right) => (right.started ?? Infinity) - (left.started ?? Infinity));
  return (
    <>
      <Title>Runs</Title>
      <p class="quiet">Runs of pipelines. <code>hearth run get NAME</code> tells more of one.</p>
      {!rows.length && (
        <Empty title="There are none.">
          <p>A pipeline is a script with functions that events start:</p>
          <Command text="hearth pipeline run build.py --event github:push" />
        </Empty>
      )}
      <ul class="plain">
        {rows.map((row) => (
          <li key={keyOf(row)}>
            <span class="item-head">
              <Mark health={HEALTH[row.phase] ?? "rest"} word="" />
              <b data-line tabIndex={0}>{row.name}</b>
              <Where namespace={row.namespace} />
              <span class="chip">{row.pipeline}</span>
              <span>{row.phase}</span>
              <span class="quiet push">{times(row, now)}</span>
            </span>
            {row.words && <span class={row.phase === "Failed" ? "why bad" : "quiet"} title={row.words}>{lastLine(row.words)}</span>}
          </li>
        ))}
      </ul>
    </>
  );
}

/** Of a traceback the line that says what is wrong. */
const lastLine = (words: string) => words.trim().split("\n").at(-1) ?? "";

function times(row: Run, now: number): string {
  if (row.started === null) return "not begun";
  if (row.ended === null) return `for ${age(now - row.started)}`;
  return `${duration(row.ended - row.started)}, at ${clock(row.ended)}`;
}
