// One key does one thing, unless one types, or has switched that off.
import { useEffect, useState } from "preact/hooks";
import { Dialog } from "./parts/dialog.tsx";
import * as theme from "./theme.ts";

const KEPT = "hearth.keys";
const GO: Record<string, string> = { s: "#/", e: "#/events", d: "#/letters", c: "#/scaling", r: "#/runs" };

const LIST: [string[], string][] = [
  [["?"], "This list"],
  [["/"], "Filter what is listed"],
  [["j", "k"], "Next, previous line"],
  [["Enter"], "Open it"],
  [["u"], "Up, to the list"],
  [["g", "s"], "Services"],
  [["g", "e"], "Events"],
  [["g", "d"], "Dead letters"],
  [["g", "c"], "Scaling"],
  [["g", "r"], "Runs"],
  [["t"], "Light, dark, as the system"],
  [["Esc"], "Close, or leave the filter"],
];

const enabled = () => localStorage.getItem(KEPT) !== "off";

export function useKeys(help: () => void): void {
  useEffect(() => {
    let pending = "";
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      const target = event.target as HTMLElement;
      if (target.matches("input, textarea, select")) {
        if (event.key === "Escape") target.blur();
        if ((target as HTMLInputElement).type !== "range") return;
      }
      if (event.key === "?") return act(event, help);
      if (!enabled()) return;
      const before = pending;
      pending = event.key === "g" ? "g" : "";
      if (before === "g" && GO[event.key]) return act(event, () => (location.hash = GO[event.key]!));
      single(event);
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
}

function single(event: KeyboardEvent): void {
  if (event.key === "/") return act(event, () => document.querySelector<HTMLInputElement>("[data-filter]")?.focus());
  if (event.key === "t") return act(event, theme.next);
  if (event.key === "j" || event.key === "k") return act(event, () => step(event.key === "j" ? 1 : -1));
  if (event.key === "u") return act(event, () => document.querySelector<HTMLAnchorElement>("[data-up]")?.click());
}

function act(event: KeyboardEvent, what: () => unknown): void {
  event.preventDefault();
  what();
}

/** From one line of the list to the next. */
function step(by: number): void {
  const lines = [...document.querySelectorAll<HTMLElement>("[data-line]")];
  const at = lines.indexOf(document.activeElement as HTMLElement);
  const next = at < 0 ? (by > 0 ? 0 : lines.length - 1) : Math.min(lines.length - 1, Math.max(0, at + by));
  lines[next]?.focus();
}

export function Keys({ onClose }: { onClose: () => void }) {
  const [on, setOn] = useState(enabled());
  const set = (value: boolean) => {
    if (value) localStorage.removeItem(KEPT);
    else localStorage.setItem(KEPT, "off");
    setOn(value);
  };
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl class="keys">
        {LIST.map(([keys, what]) => (
          <div key={what}>
            <dt>{keys.map((key) => <kbd key={key}>{key}</kbd>)}</dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input type="checkbox" checked={on} onChange={(event) => set(event.currentTarget.checked)} />
        Single keys do these things
      </label>
    </Dialog>
  );
}
