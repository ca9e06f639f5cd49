// Pods as embers: they kindle, glow while they serve, and cool when they go.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Pod, PodState } from "../types.ts";

const MOST = 20;
const COOLING_MS = 1600;
const ORDER: Record<PodState, number> = { ready: 0, unready: 1, starting: 2, ending: 3, failed: 4, done: 5 };
const WORDS: Record<PodState, string> = {
  ready: "awake",
  unready: "not answering",
  starting: "waking",
  ending: "going to sleep",
  failed: "failed",
  done: "done",
};

export function podsInWords(pods: Pod[]): string {
  if (!pods.length) return "asleep";
  const counts = new Map<PodState, number>();
  for (const pod of pods) counts.set(pod.state, (counts.get(pod.state) ?? 0) + 1);
  const states = [...counts].sort(([left], [right]) => ORDER[left] - ORDER[right]);
  return states.map(([state, count]) => `${count} ${WORDS[state]}`).join(", ");
}

export function Embers({ pods, label = true }: { pods: Pod[]; label?: boolean }) {
  const cooling = useCooling(pods);
  const shown = [...pods].sort((left, right) => (left.created ?? 0) - (right.created ?? 0)).slice(0, MOST);
  return (
    <span class="embers">
      <span class="ember-row" aria-hidden="true">
        {shown.map((pod) => (
          <span key={pod.name} class={`ember ${pod.state}`} title={`${pod.name}: ${WORDS[pod.state]}`} />
        ))}
        {cooling.map((name) => (
          <span key={name} class="ember cooling" />
        ))}
        {!shown.length && !cooling.length && <span class="ember ash" />}
        {pods.length > MOST && <span class="more">+{pods.length - MOST}</span>}
      </span>
      <span class={label ? "ember-words" : "unseen"}>{podsInWords(pods)}</span>
    </span>
  );
}

/** Names of pods that were there a moment ago. */
function useCooling(pods: Pod[]): string[] {
  const before = useRef<Set<string>>(new Set());
  const [cooling, setCooling] = useState<string[]>([]);
  const names = pods.map((pod) => pod.name).join(" ");
  useLayoutEffect(() => {
    const now = new Set(pods.map((pod) => pod.name));
    const gone = [...before.current].filter((name) => !now.has(name));
    before.current = now;
    if (!gone.length) return;
    setCooling((old) => [...old, ...gone].slice(-MOST));
    setTimeout(() => setCooling((old) => old.filter((name) => !gone.includes(name))), COOLING_MS);
  }, [names]);
  return cooling;
}
