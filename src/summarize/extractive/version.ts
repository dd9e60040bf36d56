// The extractive summarizer's version: it changes whenever the same text may give another summary.
import { createHash } from "node:crypto";
import { weights } from "./weights.js";

/** Raise it with every change of features, selection or joining that can change a summary. */
const algorithm = 2;

const fingerprint = createHash("sha256").update(JSON.stringify(weights)).digest("hex").slice(0, 8);

/** Such as `1-3f29a0c4`: the algorithm's number and the fingerprint of its weights. */
export const extractiveVersion = `${algorithm}-${fingerprint}`;
