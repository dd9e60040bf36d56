// A worker thread that profiles data, so that whoever answers people goes on answering.
import { answering } from "../text/worker-answer.js";
import { profileData, type SplitFiles, type SplitProfile } from "./checks/profile.js";

export interface ProfileTask extends SplitFiles {
  readonly columns: { readonly document?: string; readonly summary?: string };
}

export default answering(
  async ({ columns, ...split }: ProfileTask): Promise<SplitProfile | undefined> =>
    (await profileData([split], { columns })).splits[0],
);
