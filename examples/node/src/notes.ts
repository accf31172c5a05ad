import { nanoid } from "nanoid";

const notes = new Map<string, string>();

/** Keeps a note and gives the name under which it can be read, once. */
export function keep(text: string): string {
  const name = nanoid(12);
  notes.set(name, text);
  return name;
}

/** The note with this name; it is gone afterwards. */
export function take(name: string): string | undefined {
  const text = notes.get(name);
  notes.delete(name);
  return text;
}
