// A DVC repository in a temporary folder, with Git around it where a test asks for it.
import fs from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import git from "isomorphic-git";
import { DvcRepository, initRepository, type OpenOptions } from "../../src/data/dvc/repository.js";

const author = { name: "test", email: "test@example.org" };

export class DvcProject {
  readonly folder: string;
  readonly root: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.root = path.join(folder, "repo");
  }

  /** The root is `repo` in a folder of its own, so that a remote can stand beside it. */
  static async create({
    withGit = true,
    parent = tmpdir(),
  }: {
    readonly withGit?: boolean;
    readonly parent?: string;
  } = {}): Promise<DvcProject> {
    const project = new DvcProject(await mkdtemp(path.join(parent, "bridle-dvc-")));
    await mkdir(project.root);
    if (withGit) await git.init({ fs, dir: project.root, defaultBranch: "main" });
    await initRepository(project.root);
    return project;
  }

  at(name: string): string {
    return path.join(this.root, ...name.split("/"));
  }

  async write(name: string, content: string | Uint8Array): Promise<void> {
    await mkdir(path.dirname(this.at(name)), { recursive: true });
    await writeFile(this.at(name), content);
  }

  read(name: string): string {
    return fs.readFileSync(this.at(name), "utf8");
  }

  has(name: string): boolean {
    return fs.existsSync(this.at(name));
  }

  async open<Result>(
    work: (repository: DvcRepository) => Promise<Result>,
    options: OpenOptions = {},
  ): Promise<Result> {
    const repository = await DvcRepository.open(this.root, { env: {}, threads: 2, ...options });
    try {
      return await work(repository);
    } finally {
      await repository.close();
    }
  }

  /** Commits everything that Git does not ignore, under a tag. */
  async commit(tag: string): Promise<void> {
    const at = { fs, dir: this.root };
    await git.add({ ...at, filepath: "." });
    await git.commit({ ...at, message: tag, author });
    await git.tag({ ...at, ref: tag });
  }

  async gitCheckout(ref: string): Promise<void> {
    await git.checkout({ fs, dir: this.root, ref, force: true });
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
