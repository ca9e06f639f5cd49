// ScaledObjects and ScaledJobs, in a line each.
import { State } from "../parts/state.tsx";
import { useStore } from "../store.ts";
import { Empty, Title, Where } from "./common.tsx";

export function Scaling() {
  const { tables } = useStore();
  const rows = Object.entries(tables.scaled).sort(([left], [right]) => (left < right ? -1 : 1));
  return (
    <>
      <Title>Scaling</Title>
      <p class="quiet">What scales on a queue, a query or the clock (ScaledObjects and ScaledJobs). Services scale with their requests by themselves.</p>
      {!rows.length && <Empty title="There are none." />}
      <ul class="plain">
        {rows.map(([key, row]) => (
          <li key={key}>
            <span class="item-head">
              <b data-line tabIndex={0}>{row.name}</b>
              <Where namespace={row.namespace} />
              <span class="chip">{row.kind}</span>
              <State row={row} />
              <span class={row.active ? "chip warm push" : "chip push"}>{row.paused ? "paused" : row.active === null ? "not known yet" : row.active ? "active" : "at rest"}</span>
            </span>
            <span class="quiet">
              scales <span class="mono">{row.target}</span>
              {row.min !== null || row.max !== null ? ` from ${row.min ?? 0} to ${row.max ?? "any number"}` : ""}
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}
