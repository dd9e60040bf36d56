// Copying to the clipboard, also where the page is served over plain HTTP from another machine.
import { notifications } from "@mantine/notifications";

/** Copies and says so in a toast; `done` is what it says. */
export async function copyText(text: string, done: string): Promise<void> {
  const copied = await copyWithApi(text);
  notifications.show(
    copied || copyWithSelection(text)
      ? { message: done, color: "pine" }
      : {
          title: "The browser did not let the page copy.",
          message: "Select the text and copy it by hand.",
          color: "red",
        },
  );
}

async function copyWithApi(text: string): Promise<boolean> {
  if (!window.isSecureContext) return false;
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Refused by the person or by policy: the older way may still be open.
    return false;
  }
}

/** The Clipboard API exists in secure contexts only; off loopback, Bridle may be served without TLS. */
function copyWithSelection(text: string): boolean {
  const field = document.createElement("textarea");
  field.value = text;
  field.style.position = "fixed";
  field.style.opacity = "0";
  document.body.append(field);
  const before = document.activeElement;
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return copied;
}

/** Hands the browser a file to save. */
export function saveFile(name: string, type: string, content: string | Blob): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
