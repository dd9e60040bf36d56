// What goes into a registered version and what comes out, as its package says.
import { toBridleError } from "../errors/error.js";
import type { Signature } from "../package/describe-model.js";
import { readPackageSignature } from "../package/pack-model.js";
import type { Registry } from "../registry/registry.js";
import type { ModelVersion } from "../registry/versions.js";
import type { ServerContext } from "./context.js";
import { describeFailure } from "./log.js";

/** Null where its files were deleted, or the store that has them does not answer: everything else is known without them. */
export async function signatureOf(
  { log }: ServerContext,
  { packages }: Registry,
  { digest, collectedAt }: ModelVersion,
): Promise<Signature | null> {
  if (collectedAt !== null) return null;
  try {
    return await readPackageSignature(await packages.read(digest));
  } catch (thrown) {
    log.error(describeFailure(toBridleError(thrown)), "A package's signature cannot be read");
    return null;
  }
}
