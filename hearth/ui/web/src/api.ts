// Questions and writes. An error is the server's own sentence.

export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export async function ask<T>(path: string, query: Record<string, string>): Promise<T> {
  return answered<T>(await reached(`${path}?${new URLSearchParams(query)}`, { cache: "no-store" }));
}

export async function write<T>(path: string, body: unknown): Promise<T> {
  const headers = { "content-type": "application/json", "x-hearth-page": "1" };
  return answered<T>(await reached(path, { method: "POST", headers, body: JSON.stringify(body) }));
}

async function reached(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch {
    throw new Refused(0, "Hearth does not answer. Is it still running?");
  }
}

async function answered<T>(response: Response): Promise<T> {
  if (response.status === 401) location.reload();
  const body = (await response.json().catch(() => ({}))) as T & { message?: string };
  if (response.ok) return body;
  throw new Refused(response.status, body.message ?? `The server answered ${response.status}.`);
}
