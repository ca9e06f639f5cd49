// The pods of a Service, one by one.
import { age, short } from "../core/format.ts";
import type { Pod, Service } from "../types.ts";

interface Props {
  row: Service;
  pods: Pod[];
  palette: Map<string, number>;
  now: number;
  onLogs: (pod: string) => void;
}

export function Pods({ row, pods, palette, now, onLogs }: Props) {
  if (!pods.length) return <p class="quiet">All asleep. The next request wakes one.</p>;
  const sorted = [...pods].sort((left, right) => (right.created ?? 0) - (left.created ?? 0));
  return (
    <ul class="plain pods">
      {sorted.map((pod) => (
        <li key={pod.name} class="pod">
          <span class="item-head">
            <span class={`ember ${pod.state}`} aria-hidden="true" />
            <span class="mono clip" title={pod.name}>{short(pod.name, pod.revision).replace(/^deployment-/, "")}</span>
            <span class={`chip series-${palette.get(pod.revision) ?? 1}`}>{short(pod.revision, row.name)}</span>
            <span>{stateWords(pod, now)}</span>
            <button class="button small push" onClick={() => onLogs(pod.name)} aria-label={`Logs of ${pod.name}`}>Logs</button>
          </span>
          {pod.words && <span class="why bad">{pod.words}</span>}
          {pod.restarts > 0 && <span class="why wait">started {pod.restarts + 1} times</span>}
        </li>
      ))}
    </ul>
  );
}

function stateWords(pod: Pod, now: number): string {
  const made = pod.created ?? now;
  switch (pod.state) {
    case "starting":
      return `waking for ${age(now - made)}`;
    case "ready":
      return pod.readyAt === null ? "awake" : `awake for ${age(now - pod.readyAt)}`;
    case "unready":
      return "does not answer its probe";
    case "ending":
      return "going to sleep";
    case "failed":
      return "failed";
    case "done":
      return "done";
  }
}
