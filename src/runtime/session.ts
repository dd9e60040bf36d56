// A graph ready to run on one device, with its weights.

import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { thisMachine } from "../config/machine.js";
import { BridleError } from "../errors/error.js";
import {
  type ConstantData,
  encodeModel,
  type Graph,
  GraphBuilder,
  lower,
  type OnnxModel,
  relu,
  type Target,
} from "../graph/index.js";
import { type Device, devices, deviceUnavailable, listDevices } from "./devices.js";
import { nativeCall } from "./native-calls.js";
import { loadOnnxRuntime, type OnnxRuntime } from "./onnxruntime.js";
import { canBePacked, openPacked, type ToOpen } from "./packed-weights.js";
import type { Profiler } from "./profile/profiler.js";
import { release } from "./release.js";
import { createOnThread, type NativeSession } from "./session-thread.js";
import { size, type Tensor, type TensorDType } from "./tensor.js";
import {
  checkFiles,
  commonFolder,
  externalData,
  holdWeights,
  isInFile,
  type Weights,
  weightOf,
} from "./weights.js";

export interface SessionOptions {
  readonly device?: Device;
  /** Threads of one operator; the machine's parallelism unless said. */
  readonly threads?: number;
  /** Processors that an operator's further threads stay on, by number; wherever the system puts them unless said. */
  readonly cpus?: readonly number[];
  /** What the graph is lowered for; `serving` unless said. */
  readonly target?: Target;
  /**
   * On the CPU, lays mapped weights out anew for products with few rows, which take half the time or less then.
   * The copy takes the place of the mapping; opening takes longer.
   */
  readonly prepack?: boolean;
  /**
   * A folder for weights that are laid out anew: processes that open the same map one copy of them, rather than have one each.
   * The first time takes longer, and writes twice as much as the weights are. Not for 4-bit weights.
   */
  readonly packedFolder?: string | undefined;
  /**
   * Whether it lives on a thread of its own, so that it opens while others do. On the CPU, for weights in files; one that is
   * profiled stays here. Should its thread die, that ends the one it was opened on.
   */
  readonly ownThread?: boolean;
  /** Is told what each run and each operator takes, which slows them a little. */
  readonly profiler?: Profiler | undefined;
  /** What the graph is for, in profiles. */
  readonly label?: string;
}

export interface Session {
  readonly device: Device;
  readonly inputNames: readonly string[];
  /**
   * Runs the graph once. It blocks the thread it is called on until it is done, unless the session has one of its own.
   * @param fetches tensors that outputs are written into, and that are answered, in place of new ones
   * @param unwanted outputs that are not answered, which saves copying them
   * @throws SHAPE_MISMATCH when a feed is missing or of another type; RUN_FAILED with onnxruntime's words; RUN_MEMORY_SHORT
   */
  run(
    feeds: Readonly<Record<string, Tensor>>,
    fetches?: Readonly<Record<string, Tensor>>,
    unwanted?: readonly string[],
  ): Promise<Record<string, Tensor>>;
  close(): Promise<void>;
}

/**
 * The device to run on: what was asked for, or with `auto` CUDA where its libraries are installed and a GPU answers,
 * else the CPU. WebGPU is used only when asked for: every step's cache travels to it and back.
 * @throws INVALID_PARAMETER for a name that is none; DEVICE_UNAVAILABLE where a device asked for does not answer
 */
export async function chooseDevice(asked: Device | "auto"): Promise<Device> {
  if (asked !== "auto" && !devices.includes(asked)) {
    throw new BridleError("INVALID_PARAMETER", {
      parameter: "device",
      value: JSON.stringify(asked),
      expected: `one of auto, ${devices.join(", ")}`,
    });
  }
  if (asked === "cpu") return asked;
  if (asked === "auto" && !(await listDevices()).includes("cuda")) return "cpu";
  const device = asked === "auto" ? "cuda" : asked;
  const g = new GraphBuilder();
  const probe = g.finish([g.output("y", relu(g, g.input("x", "float32", [1])))]);
  try {
    await (await openSession(probe, new Map(), { device })).close();
    return device;
  } catch (thrown) {
    const isAway = thrown instanceof BridleError && thrown.code === "DEVICE_UNAVAILABLE";
    if (asked === "auto" && isAway) return "cpu";
    throw thrown;
  }
}

/**
 * Processors to stay on as onnxruntime takes them: counted from 1, a list for each thread but the caller's own, which
 * stays where its process is.
 * Source: onnxruntime_session_options_config_keys.h, session.intra_op_thread_affinities.
 */
export function threadAffinities(threads: number, cpus: readonly number[]): string {
  const list = cpus.map((cpu) => cpu + 1).join(",");
  return new Array<string>(threads - 1).fill(list).join(";");
}

/** As many threads as another machine may have used are no harm here; ten thousand keep this one from everything else. */
function checkThreads(threads: number): void {
  const most = Math.max(256, 4 * thisMachine().threads);
  if (Number.isInteger(threads) && threads >= 1 && threads <= most) return;
  const expected = `a whole number from 1 to ${most}: ${thisMachine().threads} run at the same time here`;
  throw new BridleError("INVALID_PARAMETER", { parameter: "threads", value: threads, expected });
}

/** How a graph's weights reach a session. */
interface Placement {
  readonly model: OnnxModel;
  /** Fed at every run, from where they lie. */
  readonly fed: Readonly<Record<string, OrtTensor>>;
  /** Handed over when the session opens, by the location the model names. */
  readonly handed: { readonly path: string; readonly data: Uint8Array }[];
  /** Files that are mapped, and a folder of all. */
  readonly files: readonly string[];
  readonly folder: string | undefined;
}

/** Bytes of weights in memory that a model carries in itself; its protobuf ends at 2 GB. */
const mostInline = 2 ** 30;

/**
 * Weights in files are mapped. Those in memory are fed on the CPU, so that sessions share them. A GPU that serves gets
 * them handed over, or in the model itself where others are mapped, since onnxruntime does not take both.
 */
async function place(
  graph: Graph,
  weights: Weights,
  ort: OnnxRuntime,
  options: SessionOptions,
): Promise<Placement> {
  const onCpu = (options.device ?? "cpu") === "cpu";
  // Training changes weights between runs: they are fed on every device.
  const feeds = onCpu || options.target === "training";
  let used = new Map(graph.parameters.map((one) => [one.name, weightOf(weights, one)]));
  const inMemory = [...used.values()].filter((weight) => !isInFile(weight));
  const inline = inMemory.reduce((sum, { shape }) => sum + 4 * size(shape), 0) <= mostInline;
  if (!feeds && !inline) used = await holdWeights(used);
  const inFiles = [...used.values()].filter(isInFile);
  await checkFiles(inFiles);
  const files = [...new Set(inFiles.map(({ file }) => file))];
  const folder = commonFolder(files);
  const fed: Record<string, OrtTensor> = {};
  const handed: { path: string; data: Uint8Array }[] = [];
  const model = lower(graph, {
    target: options.target ?? "serving",
    separateUses: onCpu && options.prepack === true,
    findParameter(parameter) {
      const weight = weightOf(used, parameter);
      if (isInFile(weight)) return externalData(weight, folder ?? "");
      const { dtype, data } = weight;
      if (feeds) {
        const shape = parameter.shape.map(Number);
        fed[parameter.name] = new ort.Tensor(dtype, data as Float32Array, shape);
        return undefined;
      }
      if (folder !== undefined) return data as ConstantData;
      const path = `memory/${handed.length}`;
      handed.push({ path, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) });
      return { location: path, offset: 0, length: data.byteLength };
    },
  });
  return { model, fed, handed, files, folder };
}

/** What onnxruntime does to a graph that makes it slower. */
function unwantedOptimizer(device: Device, training: boolean): string | undefined {
  // A weight that a training graph turns around for a faster product must stay so.
  if (training) return "GemmTransposeFusion";
  // On the CPU a residual connection joined with its norm takes three times as long as the two by themselves.
  return device === "cpu" ? "SkipLayerNormFusion" : undefined;
}

/**
 * How threads wait for work within a run: by spinning for as long as a few small operators take, and by sleeping from then on
 * and between runs. A step of generation has a thousand waits, of which waking up is a tenth of its time; longer spinning takes the
 * processor from whoever else works.
 */
const waiting = {
  intra_op: { allow_spinning: "1", spin_duration_us: "50" },
  force_spinning_stop: "1",
};

/** Words of onnxruntime and V8 for memory that is not there. */
const shortage = /bad_alloc|failed to allocate memory|allocation failed|out of memory/i;

/** Why a run failed: for want of memory, or for what onnxruntime says. */
function failedRun(cause: unknown): BridleError {
  const told = cause instanceof BridleError && cause.code === "RUN_FAILED";
  if (cause instanceof BridleError && !told) return cause;
  const reason = told ? String(cause.details.reason) : (cause as Error).message;
  return new BridleError(
    shortage.test(reason) ? "RUN_MEMORY_SHORT" : "RUN_FAILED",
    { reason },
    { cause },
  );
}

/**
 * Opens a graph on a device. On the CPU weights are used from where they lie, in memory or in files that are mapped;
 * on a GPU they are copied to it when the session opens, or at every run of a training graph.
 * @throws INVALID_PARAMETER for a number of threads that is none or too large; DEVICE_UNAVAILABLE, WEIGHT_MISSING, WEIGHTS_NOT_FOUND,
 *   SHAPE_MISMATCH, GRAPH_INVALID, RUN_FAILED, RUN_MEMORY_SHORT; WORKER_FAILED where a thread of its own does not start
 */
export async function openSession(
  graph: Graph,
  weights: Weights,
  options: SessionOptions = {},
): Promise<Session> {
  const threads = options.threads ?? thisMachine().threads;
  checkThreads(threads);
  const ort = await loadOnnxRuntime();
  const device = options.device ?? "cpu";
  // Asked before onnxruntime is, which would write its own account to standard error besides.
  if (!(await listDevices()).includes(device)) {
    throw deviceUnavailable(device, "this installation of onnxruntime-node does not carry it");
  }
  // CUDA would round the factors of every product to TF32's 10 bits: logits would be off by 0.05 rather than by 0.0001.
  if (device === "cuda") process.env.NVIDIA_TF32_OVERRIDE ??= "0";
  const { model, fed, handed, files, folder } = await place(graph, weights, ort, options);
  const training = options.target === "training";
  const watch = options.profiler?.watch(options.label ?? "graph");
  const optimizer = unwantedOptimizer(device, training);
  const settings: InferenceSession.SessionOptions = {
    executionProviders: device === "cpu" ? ["cpu"] : [device, "cpu"],
    graphOptimizationLevel: "all",
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    ...(watch !== undefined && { enableProfiling: true, profileFilePrefix: watch.prefix }),
    ...(handed.length > 0 && { externalData: handed }),
    // Shapes change from run to run: memory planned for each of them would be one piece a shape, kept for ever.
    enableMemPattern: false,
    extra: {
      session: {
        ...(!training && waiting),
        ...(device === "cpu" && options.prepack !== true && { disable_prepacking: "1" }),
        ...(options.cpus !== undefined &&
          threads > 1 && {
            intra_op_thread_affinities: threadAffinities(threads, options.cpus),
          }),
        ...(folder !== undefined && { model_external_initializers_file_folder_path: folder }),
      },
      ...(optimizer !== undefined && {
        optimization: { disable_specified_optimizers: optimizer },
      }),
    },
  };
  const isMapped = Object.keys(fed).length === 0 && handed.length === 0;
  const isPlain = device === "cpu" && isMapped && watch === undefined;
  const isElsewhere = options.ownThread === true && isPlain;
  const create = async ({ bytes, settings }: ToOpen): Promise<NativeSession> =>
    isElsewhere
      ? await createOnThread({ bytes, settings })
      : await nativeCall(() => ort.InferenceSession.create(bytes, settings));
  const close = (opened: NativeSession) =>
    isElsewhere ? opened.release() : nativeCall(() => opened.release());
  let session: NativeSession;
  try {
    const whole = { bytes: encodeModel(model), settings };
    const { packedFolder } = options;
    const version = ort.env.versions.node ?? "";
    const isPacked = options.prepack === true && isPlain && !training && canBePacked(graph);
    session =
      packedFolder !== undefined && isPacked
        ? await openPacked(packedFolder, { ...whole, files, version }, { create, close })
        : await create(whole);
  } catch (cause) {
    // The CPU is always there: what does not open on it is the graph, or there is no memory for it.
    throw device === "cpu"
      ? failedRun(cause)
      : deviceUnavailable(device, (cause as Error).message, cause);
  }
  const expected = new Map(graph.inputs.map((input) => [input.name, input]));

  return {
    device,
    inputNames: graph.inputs.map(({ name }) => name),
    async run(feeds, fetches, unwanted = []) {
      const all: Record<string, OrtTensor> = { ...fed };
      for (const [name, { dtype }] of expected) {
        const feed = feeds[name];
        if (feed === undefined || feed.dtype !== dtype) {
          throw new BridleError("SHAPE_MISMATCH", {
            op: `input ${name}`,
            reason:
              feed === undefined
                ? "it is not fed"
                : `it is ${feed.dtype}, the graph takes ${dtype}`,
          });
        }
        all[name] = new ort.Tensor(dtype as "float32", feed.data as Float32Array, feed.shape);
      }
      const wanted: Record<string, OrtTensor | null> = {};
      const answered = graph.outputs.filter(({ name }) => !unwanted.includes(name));
      for (const { name } of answered) {
        const into = fetches?.[name];
        wanted[name] = into
          ? new ort.Tensor(into.dtype as "float32", into.data as Float32Array, into.shape)
          : null;
      }
      let results: Awaited<ReturnType<NativeSession["run"]>>;
      try {
        const answering = () => session.run(all, wanted);
        const running = () => (isElsewhere ? answering() : nativeCall(answering));
        results = await (watch === undefined ? running() : watch.around(running));
      } catch (cause) {
        throw failedRun(cause);
      }
      const tensors: Record<string, Tensor> = {};
      const copies: Float32Array[] = [];
      for (const { name } of answered) {
        const result = results[name];
        if (result === undefined)
          throw new BridleError("RUN_FAILED", { reason: `there is no ${name} among the results` });
        const into = fetches?.[name];
        if (into !== undefined) {
          // onnxruntime-node answers a copy of what it has written there.
          const answer = result.data as Float32Array;
          if (answer.buffer !== into.data.buffer) copies.push(answer);
          tensors[name] = into;
          continue;
        }
        tensors[name] = {
          dtype: result.type as TensorDType,
          shape: result.dims,
          data: result.data as Float32Array,
        } as Tensor;
      }
      release(copies);
      return tensors;
    },
    async close() {
      if (watch !== undefined) session.endProfiling();
      await close(session);
    },
  };
}
