// Opens buckets of an S3 server as blob stores, for tests that need no other.
import { openS3Store } from "../../src/adapters/blob/s3.js";

export const openBlobStore = openS3Store;
