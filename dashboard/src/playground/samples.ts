// Documents to try the page with, written for it.
import bakery from "./samples/bakery-incident.txt?raw";
import lighthouse from "./samples/lighthouse.txt?raw";
import moor from "./samples/moor.txt?raw";

export interface Sample {
  readonly title: string;
  readonly kind: string;
  readonly text: string;
  /** BCP 47 tag of the text. */
  readonly language: string;
}

export const samples: readonly Sample[] = [
  {
    title: "The lighthouse that learned to listen",
    kind: "News report",
    text: lighthouse,
    language: "en",
  },
  {
    title: "Orders lost during the Saturday rush",
    kind: "Incident review",
    text: bakery,
    language: "en",
  },
  { title: "Was ein Moor behält", kind: "Essay, German", text: moor, language: "de" },
];
