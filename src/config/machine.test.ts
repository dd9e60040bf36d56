// Tests what a process may use of a machine, on trees of /proc and /sys as Linux, Docker and Kubernetes lay them out.
import { describe, expect, it } from "vitest";
import { parseCpuList, readMachine, shareMachine, thisMachine } from "./machine.js";

const gigabyte = 2 ** 30;
/** 64 processors on two nodes, as affinity and /proc/meminfo tell them. */
const large = { parallelism: 64, memoryBytes: 256 * gigabyte };
const nodes = {
  "/sys/devices/system/node/online": "0-1\n",
  "/sys/devices/system/node/node0/cpulist": "0-15,32-47\n",
  "/sys/devices/system/node/node1/cpulist": "16-31,48-63\n",
};
const everywhere = { "/proc/self/status": "Name:\tnode\nCpus_allowed_list:\t0-63\n" };

type Tree = Readonly<Record<string, string>>;
const machine = (tree: Tree, given = large) => readMachine((file) => tree[file], given);

/** A container with cgroup namespaces, version 2: what it may use stands at the mount itself. */
const second = (files: Tree): Tree => ({
  ...everywhere,
  "/proc/self/cgroup": "0::/\n",
  "/proc/self/mountinfo": [
    "608 607 0:28 / / rw,relatime - overlay overlay rw",
    "620 608 0:26 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate",
  ].join("\n"),
  ...files,
});

/** A container under version 1, as Docker mounts it: the mount shows the container's own group. */
const docker = "/docker/5f0c";
const first = (files: Tree): Tree => ({
  ...everywhere,
  "/proc/self/cgroup": [
    `11:memory:${docker}`,
    `5:cpu,cpuacct:${docker}`,
    `4:cpuset:${docker}`,
    "0::/",
  ].join("\n"),
  "/proc/self/mountinfo": [
    `1410 1409 0:29 ${docker} /sys/fs/cgroup/cpu,cpuacct ro,nosuid - cgroup cgroup rw,cpu,cpuacct`,
    `1411 1409 0:32 ${docker} /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory`,
    "1412 1409 0:41 / /sys/fs/cgroup/unified ro - cgroup2 cgroup2 rw",
  ].join("\n"),
  ...files,
});

describe("processors", () => {
  it("are those of the system where nothing limits them", () => {
    expect(machine({})).toMatchObject({ threads: 64, quota: undefined });
    expect(machine(second({ "/sys/fs/cgroup/cpu.max": "max 100000\n" }))).toMatchObject({
      threads: 64,
      quota: undefined,
    });
    expect(
      machine(
        first({
          "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
          "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        }),
      ),
    ).toMatchObject({ threads: 64, quota: undefined });
  });

  it.each([
    ["one of 64", "100000 100000", 1, 1],
    ["half a one", "50000 100000", 0.5, 1],
    ["one and a half", "150000 100000", 1.5, 1],
    ["four, by another period", "80000 20000", 4, 4],
    ["more than there are", "9000000 100000", 90, 64],
    ["a quota in words that are none", "lots", undefined, 64],
    ["an empty file", "", undefined, 64],
  ])("are %s under cgroup v2", (_, text, quota, threads) => {
    expect(machine(second({ "/sys/fs/cgroup/cpu.max": `${text}\n` }))).toMatchObject({
      threads,
      quota,
    });
  });

  it.each([
    ["one of 64", 100_000, 1, 1],
    ["half a one", 50_000, 0.5, 1],
    ["eight", 800_000, 8, 8],
  ])("are %s under cgroup v1", (_, microseconds, quota, threads) => {
    const found = machine(
      first({
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": `${microseconds}\n`,
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
      }),
    );
    expect(found).toMatchObject({ threads, quota });
  });

  it("are as few as the narrowest of all groups around allows", () => {
    const group = "/kubepods.slice/pod1.slice/cri-2.scope";
    const tree = {
      ...second({
        [`/sys/fs/cgroup${group}/cpu.max`]: "max 100000",
        "/sys/fs/cgroup/kubepods.slice/pod1.slice/cpu.max": "200000 100000",
        "/sys/fs/cgroup/kubepods.slice/cpu.max": "1600000 100000",
      }),
      "/proc/self/cgroup": `0::${group}\n`,
    };
    expect(machine(tree)).toMatchObject({ threads: 2, quota: 2 });
  });

  it("are found where both versions are mounted, and where a mount's path holds a space", () => {
    const tree = {
      ...everywhere,
      "/proc/self/cgroup": "1:cpu:/a b\n0::/\n",
      "/proc/self/mountinfo": [
        "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
        "32 31 0:29 / /mnt/the\\040groups rw - cgroup cgroup rw,cpu",
      ].join("\n"),
      "/mnt/the groups/a b/cpu.cfs_quota_us": "300000",
      "/mnt/the groups/a b/cpu.cfs_period_us": "100000",
    };
    expect(machine(tree)).toMatchObject({ threads: 3 });
  });

  it("are read at the mount where the group's path is of another namespace", () => {
    const tree = {
      ...second({ "/sys/fs/cgroup/cpu.max": "200000 100000" }),
      "/proc/self/cgroup": "0::/../../other\n",
    };
    expect(machine(tree)).toMatchObject({ threads: 2 });
  });

  it("are those of the processor set and the affinity", () => {
    const tree = { ...nodes, "/proc/self/status": "Cpus_allowed_list:\t0-1,16\n" };
    expect(machine(tree)).toMatchObject({ threads: 3, nodes: [[0, 1], [16]] });
    expect(machine(everywhere, { ...large, parallelism: 5 })).toMatchObject({ threads: 5 });
  });
});

describe("memory", () => {
  it.each([
    ["v2", second({ "/sys/fs/cgroup/memory.max": `${2 * gigabyte}\n` }), 2 * gigabyte],
    ["v2 without a limit", second({ "/sys/fs/cgroup/memory.max": "max\n" }), 256 * gigabyte],
    ["v1", first({ "/sys/fs/cgroup/memory/memory.limit_in_bytes": `${gigabyte}\n` }), gigabyte],
    [
      "v1 without a limit, which is a number beyond any machine",
      first({ "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n" }),
      256 * gigabyte,
    ],
    ["no cgroups", {}, 256 * gigabyte],
  ])("is what cgroups leave of the machine's: %s", (_, tree, bytes) => {
    expect(machine(tree).memoryBytes).toBe(bytes);
  });
});

describe("a share of the machine", () => {
  it("has at least one thread, and goes where it likes on one node", () => {
    const small = machine(second({ "/sys/fs/cgroup/cpu.max": "50000 100000" }));
    expect(shareMachine(small, 3)).toEqual(Array(3).fill({ threads: 1, cpus: undefined }));
    const one = { threads: 16, nodes: [[...Array(16).keys()]] };
    expect(shareMachine(one, 3)).toEqual(Array(3).fill({ threads: 5, cpus: undefined }));
  });

  it("stays on a NUMA node of its own, or shares one with those that have the same", () => {
    const found = machine({ ...everywhere, ...nodes });
    const [left, right] = found.nodes as [number[], number[]];
    expect(shareMachine(found, 2)).toEqual([
      { threads: 32, cpus: left },
      { threads: 32, cpus: right },
    ]);
    expect(shareMachine(found, 4).map(({ cpus }) => cpus)).toEqual([left, left, right, right]);
    expect(shareMachine(found, 3).map(({ cpus }) => cpus)).toEqual([left, left, right]);
    expect(shareMachine(found, 1)).toEqual([{ threads: 64, cpus: undefined }]);
  });

  it("spans nodes where there are more of them than processes, and has no more threads than processors", () => {
    const four = { threads: 8, nodes: [[0], [1], [2], [3, 4, 5, 6, 7]] };
    expect(shareMachine(four, 2)).toEqual([
      { threads: 2, cpus: [0, 1] },
      { threads: 4, cpus: [2, 3, 4, 5, 6, 7] },
    ]);
    expect(shareMachine(four, 2, 6).map(({ threads }) => threads)).toEqual([6, 6]);
  });
});

describe("parseCpuList", () => {
  it.each([
    ["0-3,8", [0, 1, 2, 3, 8]],
    ["5", [5]],
    ["", []],
    ["\n", []],
  ])("%j", (text, cpus) => {
    expect(parseCpuList(text)).toEqual(cpus);
  });
});

it("tells of this machine what it can be held to", () => {
  const { threads, memoryBytes, nodes: here } = thisMachine();
  expect(threads).toBeGreaterThanOrEqual(1);
  expect(threads).toBeLessThanOrEqual(here.flat().length);
  expect(memoryBytes).toBeGreaterThan(2 ** 26);
});
