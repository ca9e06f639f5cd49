// Light, dark, or as the system has it. Which one is kept in this browser.
import { useEffect, useState } from "preact/hooks";

export type Theme = "auto" | "light" | "dark";

const KEY = "hearth.theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();
system.addEventListener("change", () => listeners.forEach((listener) => listener()));

export function chosen(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "auto";
}

export function next(): Theme {
  const theme: Theme = { auto: "light", light: "dark", dark: "auto" }[chosen()] as Theme;
  if (theme === "auto") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, theme);
  document.documentElement.dataset["theme"] = theme;
  listeners.forEach((listener) => listener());
  return theme;
}

/** What is painted now; draws anew when that changes. */
export function useTheme(): "light" | "dark" {
  const [, redraw] = useState(0);
  useEffect(() => {
    const listener = () => redraw((count) => count + 1);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  const theme = chosen();
  return theme === "auto" ? (system.matches ? "dark" : "light") : theme;
}
