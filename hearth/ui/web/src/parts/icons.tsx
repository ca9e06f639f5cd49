// Drawn here, 16 by 16, with the colour of the text around. For eyes only: words stand beside them.
const PATHS: Record<string, string> = {
  services: "M2.5 4.5 8 1.8l5.5 2.7v7L8 14.2 2.5 11.5zM2.5 4.5 8 7.2l5.5-2.7M8 7.2v7",
  events: "M3 3.2h3v3H3zM10 1.8h3v3h-3zM10 11.2h3v3h-3zM6 4.7h2v8h2M8 3.3h2",
  letters: "M1.8 3.5h12.4v9H1.8zM1.8 4l6.2 5 6.2-5",
  scaling: "M2 13.5h12M3.5 13.5v-3M7 13.5v-6M10.5 13.5v-9M13.2 4.5 10.5 1.8 7.8 4.5",
  runs: "M4.5 2.5v11l8.5-5.5z",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  done: "M3 8.5l3.2 3.2L13 4.6",
  open: "M6 3H3v10h10v-3M9 3h4v4M13 3 7.5 8.5",
  sun: "M8 4.8a3.2 3.2 0 1 0 0 6.4 3.2 3.2 0 0 0 0-6.4M8 .9v1.6M8 13.5v1.6M.9 8h1.6M13.5 8h1.6M3 3l1.1 1.1M11.9 11.9 13 13M3 13l1.1-1.1M11.9 4.1 13 3",
  moon: "M13.5 9.8A6 6 0 0 1 6.2 2.5a6 6 0 1 0 7.3 7.3z",
  auto: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 2v12M8 4.2h2.7M8 6.7h5M8 9.2h5M8 11.7h2.7",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  keys: "M1.5 4h13v8h-13zM4 6.5h.01M6.7 6.5h.01M9.3 6.5h.01M12 6.5h.01M4.5 9.5h7",
  back: "M9.5 3 4.5 8l5 5",
  pause: "M5 3v10M11 3v10",
};

export function Icon({ name }: { name: string }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name] ?? ""} />
    </svg>
  );
}

/** The hearth: three flames of one, in the corner of the page. */
export function Flame() {
  return (
    <svg class="flame" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path class="flame-out" d="M12 1.5c.8 4-4.8 6.6-5.9 11.2C5 17.6 8.2 22 12 22s7-3.300 6.500-8c-.3-3-2-4.300-2.600-6.400-1.300.7-1.900 1.800-2 3C13.600 7.300 14.400 4 12 1.500z" />
      <path class="flame-in" d="M12.200 12c.4 2-2.700 3.200-2.700 5.800 0 1.600 1.100 2.700 2.600 2.700s2.700-1.200 2.600-2.900c-.1-2-1.900-3.300-2.500-5.600z" />
    </svg>
  );
}
