// Tests what of the environment counts for the hub, and in which order.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readHubSettings } from "./hub-settings.js";

const home = mkdtempSync(path.join(tmpdir(), "bridle-home-"));
afterAll(() => rmSync(home, { recursive: true }));
const read = (env: Record<string, string>) => readHubSettings(env, home);

describe("the cache folder", () => {
  it.each([
    [{}, path.join(home, ".cache/huggingface/hub")],
    [{ XDG_CACHE_HOME: "/xdg" }, "/xdg/huggingface/hub"],
    [{ HF_HOME: "/hf", XDG_CACHE_HOME: "/xdg" }, "/hf/hub"],
    [{ HF_HOME: "~/models" }, path.join(home, "models/hub")],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the environment's form, not a template's
    [{ HF_HOME: "$DISK/${PART}/x", DISK: "/disk", PART: "p" }, "/disk/p/x/hub"],
    [{ HF_HOME: "/hf", HF_HUB_CACHE: "/cache" }, "/cache"],
    [{ HF_HUB_CACHE: "", HUGGINGFACE_HUB_CACHE: "/old" }, "/old"],
  ])("of %j is %s", (env, folder) => {
    expect(read(env).cacheFolder).toBe(path.resolve(folder));
  });
});

describe("the endpoint", () => {
  it("is the public hub unless said, and loses its last slash", () => {
    expect(read({}).endpoint).toBe("https://huggingface.co");
    expect(read({ HF_ENDPOINT: "https://hub.example/mirror/" }).endpoint).toBe(
      "https://hub.example/mirror",
    );
  });

  it.each(["hub.example", "ftp://hub.example", "file:///hub", "https://hub.example/?a=b"])(
    "cannot be %s",
    (HF_ENDPOINT) => {
      expect(() => read({ HF_ENDPOINT })).toThrow(/HF_ENDPOINT/);
    },
  );

  it("with a password is refused without repeating it", () => {
    expect(() => read({ HF_ENDPOINT: "https://me:secret@hub.example" })).toThrow(
      /^HF_ENDPOINT is an address with a password in it/,
    );
  });
});

describe("offline mode", () => {
  it.each([
    [{ HF_HUB_OFFLINE: "1" }, true],
    [{ HF_HUB_OFFLINE: "yes" }, true],
    [{ TRANSFORMERS_OFFLINE: "True" }, true],
    [{ HF_HUB_OFFLINE: "0", TRANSFORMERS_OFFLINE: "1" }, false],
    [{ HF_HUB_OFFLINE: "false" }, false],
    [{}, false],
  ])("of %j is %s", (env, offline) => {
    expect(read(env).offline).toBe(offline);
  });
});

describe("timeouts", () => {
  it("are whole seconds, ten unless said", () => {
    expect(read({})).toMatchObject({ answerTimeoutMs: 10_000, downloadTimeoutMs: 10_000 });
    expect(read({ HF_HUB_ETAG_TIMEOUT: "3", HF_HUB_DOWNLOAD_TIMEOUT: "60" })).toMatchObject({
      answerTimeoutMs: 3000,
      downloadTimeoutMs: 60_000,
    });
    for (const value of ["0", "soon", "-1", "1.5"]) {
      expect(() => read({ HF_HUB_DOWNLOAD_TIMEOUT: value })).toThrow(/HF_HUB_DOWNLOAD_TIMEOUT/);
    }
  });
});

describe("the token", () => {
  const file = path.join(home, "token");
  writeFileSync(file, "hf_file\r\n");

  it.each([
    [{ HF_TOKEN: " hf_one ", HUGGING_FACE_HUB_TOKEN: "hf_two" }, "hf_one", "HF_TOKEN"],
    [{ HUGGING_FACE_HUB_TOKEN: "hf_two" }, "hf_two", "HUGGING_FACE_HUB_TOKEN"],
    [{ HF_HOME: home }, "hf_file", file],
    [{ HF_TOKEN_PATH: file }, "hf_file", file],
    [{ HF_TOKEN: "  ", HF_TOKEN_PATH: file }, "hf_file", file],
  ])("of %j is %s", (env, value, source) => {
    expect(read(env).token).toEqual({ value, source });
  });

  it("is none where no file is, where it is empty, and where it is not wanted", () => {
    expect(read({})).not.toHaveProperty("token");
    expect(read({ HF_TOKEN: "hf_one", HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" })).not.toHaveProperty(
      "token",
    );
  });

  it("that fits into no header is refused without repeating it", () => {
    for (const HF_TOKEN of ["hf_one\nX-Other: 1", "hf_ü", "two words"]) {
      expect(() => read({ HF_TOKEN })).toThrow(/^HF_TOKEN is not a token/);
    }
  });

  it("file that cannot be read is an error that names it", () => {
    expect(() => read({ HF_TOKEN_PATH: home })).toThrow(home);
  });
});
