// What the doctor says of remotes that answer, that refuse, and that are not there.
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DvcProject } from "../../test/support/dvc-project.js";
import {
  type FakeCloud,
  startFakeAzure,
  startFakeGcs,
  startFakeS3,
} from "../../test/support/fake-clouds.js";
import { checkRemotes } from "./doctor-remotes.js";

let project: DvcProject;
let cloud: FakeCloud | undefined;
beforeEach(async () => {
  project = await DvcProject.create({ withGit: false });
});
afterEach(async () => {
  await cloud?.close();
  cloud = undefined;
  await project.remove();
});

const remote = (name: string, url: string, options: Readonly<Record<string, string>> = {}) =>
  `['remote "${name}"']\n    url = ${url}\n${Object.entries(options)
    .map(([key, value]) => `    ${key} = ${value}\n`)
    .join("")}`;
const configure = (...remotes: string[]) => writeFile(project.at(".dvc/config"), remotes.join(""));
const keys = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" };
const azureKeys = (url: string) => ({
  AZURE_STORAGE_CONNECTION_STRING: `DefaultEndpointsProtocol=http;AccountName=account;AccountKey=${Buffer.from("key").toString("base64")};BlobEndpoint=${url}/account;`,
});

describe("the doctor", () => {
  it("is content where nothing is versioned, and where there is no remote", async () => {
    const elsewhere = await checkRemotes(tmpdir(), {});
    expect(elsewhere).toEqual({ status: "ok", message: "no data is versioned here" });
    expect((await checkRemotes(project.root, {})).message).toContain("without a remote");
  });

  it("tells a folder that is not there, which a disk may be that is not mounted", async () => {
    await configure(remote("near", "../../store"), remote("gone", "/nowhere/at/all"));
    await mkdir(path.join(project.folder, "store"));
    expect(await checkRemotes(project.root, {})).toEqual({
      status: "warn",
      message:
        "gone: /nowhere/at/all is no folder that is there. Those that answer: near ../../store.",
      next: expect.stringContaining("bridle data push"),
    });
  });

  it("shows no password", async () => {
    await configure(remote("web", "http://me:secret@127.0.0.1:9/x"));
    expect(JSON.stringify(await checkRemotes(project.root, {}))).not.toContain("secret");
  });

  it("names remotes that answer", async () => {
    await mkdir(path.join(project.folder, "store"));
    cloud = await startFakeS3();
    await configure(
      "[core]\n    remote = near\n",
      remote("near", "../../store"),
      remote("far", "s3://bucket/x", { endpointurl: cloud.url }),
    );
    expect(await checkRemotes(project.root, keys)).toEqual({
      status: "ok",
      message: "each answers: near (default) ../../store, far s3://bucket/x",
    });
  });

  it.each([
    ["s3", startFakeS3, (url: string) => [{ endpointurl: url }, keys] as const],
    ["gs", startFakeGcs, (url: string) => [{ endpointurl: url, projectname: "p" }, {}] as const],
    ["azure", startFakeAzure, (url: string) => [{}, azureKeys(url)] as const],
  ])("finds out that a bucket of %s is not there", async (scheme, start, settings) => {
    cloud = await start("bucket");
    const [options, env] = settings(cloud.url);
    await configure(remote("store", `${scheme}://nowhere/x`, options));
    expect(await checkRemotes(project.root, env)).toMatchObject({
      status: "fail",
      message: expect.stringMatching(/^store: .*nowhere.* is not there/),
      next: expect.stringContaining("bridle data remote add --force"),
    });
  });

  it("tells credentials that have expired with the way to log in, and the remotes beside them", async () => {
    await mkdir(path.join(project.folder, "store"));
    cloud = await startFakeS3();
    cloud.faults.push({ status: 400, code: "ExpiredToken" });
    await configure(
      remote("far", "s3://bucket/x", { endpointurl: cloud.url }),
      remote("near", "../../store"),
      remote("web", "http://127.0.0.1:9/x"),
    );
    const found = await checkRemotes(project.root, keys);
    expect(found).toMatchObject({
      status: "fail",
      message: expect.stringMatching(
        /far: .* does not accept the credentials.*web: .*did not answer.*Those that answer: near/s,
      ),
    });
    expect(found.next).toContain("aws sso login");
    expect(found.next).toContain("Check the network");
  });

  it("lets pass who may fetch by name alone", async () => {
    cloud = await startFakeS3();
    cloud.faults.push({ status: 403, code: "AccessDenied" });
    await configure(remote("far", "s3://bucket/x", { endpointurl: cloud.url }));
    expect((await checkRemotes(project.root, keys)).status).toBe("ok");
    expect(cloud.requests.map((each) => each.split(" ")[0])).toEqual(["GET", "HEAD"]);
  });

  it("says what is wrong with a configuration, by name", async () => {
    await configure("[core\n");
    expect(await checkRemotes(project.root, {})).toMatchObject({
      status: "fail",
      message: expect.stringContaining("config"),
    });
    await configure(remote("odd", "ssh://host/x"));
    expect(await checkRemotes(project.root, {})).toMatchObject({
      status: "fail",
      message: expect.stringMatching(/^odd: /),
    });
  });
});
