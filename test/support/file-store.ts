// Opens folders as blob stores, for tests that need no other.
import { openFileStore } from "../../src/adapters/blob/file.js";

export const openBlobStore = openFileStore;
