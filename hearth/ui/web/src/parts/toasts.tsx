// What was done, or why not: said once, politely, and gone by itself.
import { useEffect, useState } from "preact/hooks";
import { Icon } from "./icons.tsx";

interface Toast {
  id: number;
  words: string;
  bad: boolean;
  undo?: (() => void) | undefined;
}

const SECONDS = 12;
let tell: ((toast: Toast) => void) | null = null;
let count = 0;

export function say(words: string, more: { bad?: boolean; undo?: () => void } = {}): void {
  tell?.({ id: ++count, words, bad: more.bad ?? false, undo: more.undo });
}

export function Toasts() {
  const [toasts, setToasts] = useState<Toast[]>([]);
  const drop = (id: number) => setToasts((old) => old.filter((toast) => toast.id !== id));
  useEffect(() => {
    tell = (toast) => {
      setToasts([toast]); // what is new stands for what was before
      setTimeout(() => drop(toast.id), SECONDS * 1000);
    };
    return () => void (tell = null);
  }, []);
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.map((toast) => (
        <div key={toast.id} class={toast.bad ? "toast bad" : "toast"}>
          <span>{toast.words}</span>
          {toast.undo && (
            <button class="button small" onClick={() => (drop(toast.id), toast.undo!())}>Undo</button>
          )}
          <button class="button bare" aria-label="Dismiss" onClick={() => drop(toast.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
