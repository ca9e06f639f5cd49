// Numbers and times as people read them. Pure.

export function rate(perSecond: number): string {
  if (perSecond === 0) return "0";
  if (perSecond < 0.05) return "<0.1";
  if (perSecond < 9.95) return perSecond.toFixed(1);
  if (perSecond < 999.5) return perSecond.toFixed(0);
  return `${(perSecond / 1000).toFixed(perSecond < 9950 ? 1 : 0)}k`;
}

export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds === 0) return "0 ms";
  if (seconds < 0.00995) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${(seconds * 1000).toFixed(0)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(seconds < 9.95 ? 2 : 1)} s`;
  return age(seconds);
}

/** A length of time in its largest unit: 12 s, 3 min, 4 h, 2 d. */
export function age(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h`;
  return `${Math.floor(whole / 86400)} d`;
}

export function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString("en-GB", { hour12: false });
}

export function many(count: number, one: string, more = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : more}`;
}

/** The last part of a revision's name, what tells it from its neighbours: 00003. */
export function short(revision: string, service: string): string {
  return revision.startsWith(`${service}-`) ? revision.slice(service.length + 1) : revision;
}

/** The middle cut out of what is too long. */
export function clipped(text: string, most: number): string {
  if (text.length <= most) return text;
  const head = Math.ceil((most - 1) * 0.6);
  return `${text.slice(0, head)}…${text.slice(text.length - (most - 1 - head))}`;
}

export function sentence(text: string): string {
  const clean = text.trim().replace(/\s+\./g, ".");
  return clean.slice(0, 1).toUpperCase() + clean.slice(1);
}

/** "a", "a and b", "a, b and c". */
export function listed(parts: string[]): string {
  if (parts.length < 2) return parts.join("");
  return `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}
