import { useState } from "preact/hooks";
import { Icon } from "./icons.tsx";

export function Copy({ text, what }: { text: string; what: string }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(text);
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return (
    <button class={done ? "button bare copied" : "button bare"} aria-label={done ? `Copied ${what}` : `Copy ${what}`} title={`Copy ${what}`} onClick={copy}>
      <Icon name={done ? "done" : "copy"} />
    </button>
  );
}

/** A command to type, with its button. */
export function Command({ text }: { text: string }) {
  return (
    <span class="command">
      <code>{text}</code>
      <Copy text={text} what="the command" />
    </span>
  );
}
