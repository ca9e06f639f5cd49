// Why there are as many pods as there are, in the autoscaler's words.
import { useState } from "preact/hooks";
import { ask, type Refused } from "../api.ts";

export function Explain({ namespace, name }: { namespace: string; name: string }) {
  const [text, setText] = useState("");
  const load = async () => {
    setText((old) => old || "…");
    const answer = await ask<{ text: string }>("/api/explain", { namespace, name }).catch((error: Refused) => ({ text: error.message }));
    setText(answer.text);
  };
  return (
    <details class="explain" onToggle={(event) => event.currentTarget.open && void load()}>
      <summary>Why this many?</summary>
      <pre aria-live="polite">{text}</pre>
      <button class="button small" onClick={() => void load()}>Ask again</button>
    </details>
  );
}
