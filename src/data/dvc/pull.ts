// Fetches what the working folder needs, and puts it there.
import { type CheckedOut, type CheckoutOptions, checkoutUnlocked } from "./checkout.js";
import { fetchUnlocked } from "./fetch.js";
import type { OpenBlobStore } from "./remote.js";
import type { DvcRepository } from "./repository.js";
import type { TransferOptions } from "./transfer.js";
import type { VersionScope } from "./used-objects.js";

export interface Pulled extends CheckedOut {
  /** Objects that came from the remote. */
  readonly fetched: number;
}

/** @throws what fetch and checkout throw */
export async function pull(
  repository: DvcRepository,
  openStore: OpenBlobStore,
  scope: VersionScope = {},
  options: TransferOptions & CheckoutOptions = {},
): Promise<Pulled> {
  const work = async () => {
    const { fetched } = await fetchUnlocked(repository, openStore, scope, options);
    const { targets } = scope;
    return { fetched, ...(await checkoutUnlocked(repository, { targets }, options)) };
  };
  return await repository.locked("bridle data pull", work, options);
}
