// The whole page takes a dropped file, and shows so while one hovers over it.
import { FileInput } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import classes from "./drop-target.module.css";

export function DropTarget({ onFiles }: { readonly onFiles: (files: readonly File[]) => unknown }) {
  const [over, setOver] = useState(false);
  const latest = useRef(onFiles);
  useEffect(() => {
    latest.current = onFiles;
  }, [onFiles]);

  useEffect(() => {
    // Entering a child fires before leaving its parent: only the count tells when the pointer has left the page.
    let depth = 0;
    const update = (change: number) => {
      depth = Math.max(0, depth + change);
      setOver(depth > 0);
    };
    const enter = (event: DragEvent) => holdsFiles(event) && update(1);
    const leave = (event: DragEvent) => holdsFiles(event) && update(-1);
    const hover = (event: DragEvent) => {
      // Without this the browser would open the file in place of the page.
      if (holdsFiles(event)) event.preventDefault();
    };
    const drop = (event: DragEvent) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      update(-depth);
      void latest.current([...(event.dataTransfer?.files ?? [])]);
    };
    window.addEventListener("dragenter", enter);
    window.addEventListener("dragleave", leave);
    window.addEventListener("dragover", hover);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragenter", enter);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("dragover", hover);
      window.removeEventListener("drop", drop);
    };
  }, []);

  if (!over) return null;
  return (
    <div className={classes.overlay}>
      <div className={classes.frame}>
        <FileInput size={40} strokeWidth={1.5} aria-hidden />
        <strong>Drop it to read it</strong>
        <span>txt, md, html, pdf or docx</span>
      </div>
    </div>
  );
}

function holdsFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}
