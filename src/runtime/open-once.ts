// What is opened by the first who asks, and shared by all who ask after.

/** What cannot be opened is told to those who have asked, and opened anew for the next: what was missing may be there then. */
export function openOnce<Key, Opened>(
  kept: Map<Key, Promise<Opened>>,
  key: Key,
  open: () => Promise<Opened>,
): Promise<Opened> {
  const found = kept.get(key);
  if (found !== undefined) return found;
  const opening = open();
  kept.set(key, opening);
  opening.catch(() => {
    if (kept.get(key) === opening) kept.delete(key);
  });
  return opening;
}
