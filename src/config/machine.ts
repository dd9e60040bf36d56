// How much of this machine the process may use: processors and memory, within cgroups, processor sets and affinity.
import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import path from "node:path";

export interface Machine {
  /** Threads that can run at the same time: 1 or more. */
  readonly threads: number;
  /** Processors' worth of time that a quota allows, such as 0.5; undefined where there is none. */
  readonly quota: number | undefined;
  /** Bytes of memory that the process and its like may take. */
  readonly memoryBytes: number;
  /** Numbers of the processors it may run on, by NUMA node; one list where the machine has one node or tells none. */
  readonly nodes: readonly (readonly number[])[];
}

/** What one of several processes gets. */
export interface MachineShare {
  readonly threads: number;
  /** Processors to stay on; undefined where staying anywhere brings nothing. */
  readonly cpus: readonly number[] | undefined;
}

/** The text of a file of /proc or /sys; undefined where there is none. */
export type FileReader = (file: string) => string | undefined;

/** Processor numbers of a list such as `0-3,8`. Source: Linux, Documentation/admin-guide/cputopology.rst. */
export function parseCpuList(text: string): number[] {
  const cpus: number[] = [];
  for (const [, from, to] of text.matchAll(/(\d+)(?:-(\d+))?/g)) {
    for (let cpu = Number(from); cpu <= Number(to ?? from); cpu++) cpus.push(cpu);
  }
  return cpus;
}

/** A hierarchy of cgroups, and where this process stands in it. */
interface Hierarchy {
  readonly version: 1 | 2;
  /** Where it is mounted. */
  readonly mount: string;
  /** The group below the mount, without slashes at its ends; empty for the mount itself. */
  readonly group: string;
}

/** What /proc/self/mountinfo writes for spaces and the like. */
const unescapePath = (text: string) =>
  text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );

/**
 * The hierarchy that limits a resource: a version 1 mount of the controller, else the one of version 2.
 * Source: cgroups(7) for /proc/self/cgroup, proc_pid_mountinfo(5).
 */
function findHierarchy(read: FileReader, controller: "cpu" | "memory"): Hierarchy | undefined {
  const groups = new Map<string, string>();
  for (const [, names = "", group = ""] of (read("/proc/self/cgroup") ?? "").matchAll(
    /^\d+:([^:]*):(.*)$/gm,
  )) {
    for (const name of names.split(",")) groups.set(name, group);
  }
  let found: Hierarchy | undefined;
  for (const line of (read("/proc/self/mountinfo") ?? "").split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root = "", mount = ""] = before.split(" ");
    const [type, , options = ""] = after.split(" ");
    const isFirst = type === "cgroup" && options.split(",").includes(controller);
    if (!isFirst && type !== "cgroup2") continue;
    const group = groups.get(isFirst ? controller : "");
    if (group === undefined || (found !== undefined && !isFirst)) continue;
    const top = unescapePath(root);
    // A container may see a mount of its own group while /proc tells the path from the machine's root.
    const below = path.posix.relative(top, group);
    found = {
      version: isFirst ? 1 : 2,
      mount: unescapePath(mount),
      group: below === ".." || below.startsWith("../") ? "" : below,
    };
    if (isFirst) break;
  }
  return found;
}

/** Folders of a group and all that it lies in: each of them limits what is below it. */
function foldersUp({ mount, group }: Hierarchy): string[] {
  const folders = [mount];
  for (const name of group.split("/").filter(Boolean)) {
    folders.unshift(path.posix.join(folders[0] as string, name));
  }
  return folders;
}

/** The least number that any of the files tells; what is no number, such as `max`, limits nothing. */
function leastOf(numbers: Iterable<number | undefined>): number | undefined {
  let least: number | undefined;
  for (const number of numbers) {
    if (number === undefined || !Number.isFinite(number) || number <= 0) continue;
    if (least === undefined || number < least) least = number;
  }
  return least;
}

const numberIn = (text: string | undefined) =>
  text === undefined || text.trim() === "" ? undefined : Number(text.trim());

/** Source: Linux, Documentation/admin-guide/cgroup-v2.rst (cpu.max) and scheduler/sched-bwc.rst (cfs_quota_us). */
function readQuota(read: FileReader): number | undefined {
  const hierarchy = findHierarchy(read, "cpu");
  if (hierarchy === undefined) return undefined;
  return leastOf(
    foldersUp(hierarchy).map((folder) => {
      if (hierarchy.version === 2) {
        const [quota, period] = (read(`${folder}/cpu.max`) ?? "").trim().split(/\s+/);
        return quota === undefined || quota === "" ? undefined : Number(quota) / Number(period);
      }
      const quota = numberIn(read(`${folder}/cpu.cfs_quota_us`));
      const period = numberIn(read(`${folder}/cpu.cfs_period_us`));
      return quota === undefined || period === undefined ? undefined : quota / period;
    }),
  );
}

function readMemoryLimit(read: FileReader): number | undefined {
  const hierarchy = findHierarchy(read, "memory");
  if (hierarchy === undefined) return undefined;
  const file = hierarchy.version === 2 ? "memory.max" : "memory.limit_in_bytes";
  return leastOf(foldersUp(hierarchy).map((folder) => numberIn(read(`${folder}/${file}`))));
}

/** Processors of each NUMA node that are among the allowed; nodes without one are left out. */
function readNodes(read: FileReader, allowed: readonly number[]): number[][] {
  const online = parseCpuList(read("/sys/devices/system/node/online") ?? "");
  const nodes = online
    .map((node) => parseCpuList(read(`/sys/devices/system/node/node${node}/cpulist`) ?? ""))
    .map((cpus) => cpus.filter((cpu) => allowed.includes(cpu)))
    .filter((cpus) => cpus.length > 0);
  return nodes.length > 1 ? nodes : [[...allowed]];
}

/**
 * What the process may use of a machine, out of the files in which Linux tells it; elsewhere what is given.
 * A quota counts in whole processors, so that what is left of it goes to those who answer: 1.5 are one thread, and so
 * is 0.5.
 * @param given what the system says without them: processors by affinity, and bytes of memory
 */
export function readMachine(
  read: FileReader,
  given: { readonly parallelism: number; readonly memoryBytes: number },
): Machine {
  const status = read("/proc/self/status") ?? "";
  const listed = parseCpuList(/^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? "");
  const allowed =
    listed.length > 0 ? listed : Array.from({ length: given.parallelism }, (_, cpu) => cpu);
  const quota = readQuota(read);
  const limits = [given.parallelism, allowed.length, quota ?? Number.POSITIVE_INFINITY];
  return {
    threads: Math.max(1, Math.floor(Math.min(...limits))),
    quota,
    memoryBytes: Math.min(given.memoryBytes, readMemoryLimit(read) ?? Number.POSITIVE_INFINITY),
    nodes: readNodes(read, allowed),
  };
}

/**
 * Parts a machine among processes: threads evenly, at least one each; where it has several NUMA nodes each process
 * stays on one of them, or on as many as there are more nodes than processes.
 * @param processes 1 or more
 * @param said threads that each is to have, whatever its share
 */
export function shareMachine(
  { threads, nodes }: Pick<Machine, "threads" | "nodes">,
  processes: number,
  said?: number,
): MachineShare[] {
  const each = said ?? Math.max(1, Math.floor(threads / processes));
  return Array.from({ length: processes }, (_, index) => {
    if (processes === 1 || nodes.length === 1) return { threads: each, cpus: undefined };
    const first = Math.floor((index * nodes.length) / processes);
    const last = Math.max(first + 1, Math.floor(((index + 1) * nodes.length) / processes));
    const cpus = nodes.slice(first, last).flat();
    return { threads: said ?? Math.min(each, cpus.length), cpus };
  });
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // Not Linux, or a kernel without it: then it limits nothing.
    return undefined;
  }
}

let known: Machine | undefined;

/** This machine, as it was when it was first asked for. */
export function thisMachine(): Machine {
  known ??= readMachine(process.platform === "linux" ? readText : () => undefined, {
    parallelism: availableParallelism(),
    memoryBytes: totalmem(),
  });
  return known;
}
