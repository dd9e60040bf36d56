// A graph ready to run on one device, with its weights.
import { availableParallelism } from "node:os";
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { BridleError } from "../errors/error.js";
import {
  type ConstantData,
  encodeModel,
  type Graph,
  GraphBuilder,
  lower,
  relu,
  type Target,
} from "../graph/index.js";
import { type Device, deviceUnavailable, listDevices } from "./devices.js";
import { loadOnnxRuntime } from "./onnxruntime.js";
import { size, type Tensor, type TensorDType } from "./tensor.js";

/** Weights by checkpoint name. Several sessions share one set: it is held once. */
export type Weights = ReadonlyMap<string, Tensor>;

export interface SessionOptions {
  readonly device?: Device;
  /** Threads of one operator; the machine's parallelism unless said. */
  readonly threads?: number;
  /** What the graph is lowered for; `serving` unless said. */
  readonly target?: Target;
}

export interface Session {
  readonly device: Device;
  readonly inputNames: readonly string[];
  /**
   * Runs the graph once. It blocks the thread it is called on until it is done.
   * @param fetches tensors that outputs are written into, in place of new ones
   * @throws SHAPE_MISMATCH when a feed is missing or of another type; RUN_FAILED with onnxruntime's words.
   */
  run(
    feeds: Readonly<Record<string, Tensor>>,
    fetches?: Readonly<Record<string, Tensor>>,
  ): Promise<Record<string, Tensor>>;
  close(): Promise<void>;
}

/**
 * Shapes change from batch to batch, so that planned memory would not fit; and a weight that was turned around for a
 * faster product must stay so.
 */
const trainingSettings: InferenceSession.SessionOptions = {
  enableMemPattern: false,
  extra: { optimization: { disable_specified_optimizers: "GemmTransposeFusion" } },
};

/** A weight's tensor, checked against what the graph expects. */
function weightOf(
  weights: Weights,
  parameter: { name: string; dtype: string; shape: readonly (number | string)[] },
): Tensor {
  const weight = weights.get(parameter.name);
  if (weight === undefined) {
    throw new BridleError("WEIGHT_MISSING", { name: parameter.name });
  }
  if (
    weight.dtype !== parameter.dtype ||
    size(weight.shape) !== size(parameter.shape.map(Number))
  ) {
    throw new BridleError("SHAPE_MISMATCH", {
      op: `weight ${parameter.name}`,
      reason: `it is ${weight.dtype}[${weight.shape}], the model needs ${parameter.dtype}[${parameter.shape}]`,
    });
  }
  return weight;
}

/**
 * The device to run on: what was asked for, or with `auto` CUDA where its libraries are installed and a GPU answers,
 * else the CPU. WebGPU is used only when asked for: every step's cache travels to it and back.
 */
export async function chooseDevice(asked: Device | "auto"): Promise<Device> {
  if (asked !== "auto") return asked;
  if (!(await listDevices()).includes("cuda")) return "cpu";
  const g = new GraphBuilder();
  const probe = g.finish([g.output("y", relu(g, g.input("x", "float32", [1])))]);
  try {
    await (await openSession(probe, new Map(), { device: "cuda" })).close();
    return "cuda";
  } catch (thrown) {
    if (thrown instanceof BridleError && thrown.code === "DEVICE_UNAVAILABLE") return "cpu";
    throw thrown;
  }
}

/**
 * Opens a graph on a device. On the CPU the weights are fed from where they lie, so that any number
 * of sessions hold them once; on a GPU they are copied to it when the session opens.
 * @throws DEVICE_UNAVAILABLE, WEIGHT_MISSING, SHAPE_MISMATCH, GRAPH_INVALID
 */
export async function openSession(
  graph: Graph,
  weights: Weights,
  options: SessionOptions = {},
): Promise<Session> {
  const ort = await loadOnnxRuntime();
  const device = options.device ?? "cpu";
  const toDevice = device !== "cpu";
  const fixed: Record<string, OrtTensor> = {};
  for (const parameter of graph.parameters) {
    const { dtype, data } = weightOf(weights, parameter);
    if (!toDevice)
      fixed[parameter.name] = new ort.Tensor(
        dtype,
        data as Float32Array,
        parameter.shape.map(Number),
      );
  }
  const { target = "serving" } = options;
  const model = lower(graph, {
    target,
    findParameter: (parameter) =>
      toDevice ? (weightOf(weights, parameter).data as ConstantData) : undefined,
  });
  const settings: InferenceSession.SessionOptions = {
    executionProviders: toDevice ? [device, "cpu"] : ["cpu"],
    graphOptimizationLevel: "all",
    intraOpNumThreads: options.threads ?? availableParallelism(),
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    ...(target === "training" && trainingSettings),
  };
  let session: InferenceSession;
  try {
    session = await ort.InferenceSession.create(encodeModel(model), settings);
  } catch (cause) {
    throw deviceUnavailable(device, (cause as Error).message, cause);
  }
  const expected = new Map(graph.inputs.map((input) => [input.name, input]));

  return {
    device,
    inputNames: graph.inputs.map(({ name }) => name),
    async run(feeds, fetches) {
      const all: Record<string, OrtTensor> = { ...fixed };
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
      for (const { name } of graph.outputs) {
        const into = fetches?.[name];
        wanted[name] = into
          ? new ort.Tensor(into.dtype as "float32", into.data as Float32Array, into.shape)
          : null;
      }
      let results: InferenceSession.OnnxValueMapType;
      try {
        results = await session.run(all, wanted);
      } catch (cause) {
        throw new BridleError("RUN_FAILED", { reason: (cause as Error).message }, { cause });
      }
      const tensors: Record<string, Tensor> = {};
      for (const { name } of graph.outputs) {
        const result = results[name];
        if (result === undefined)
          throw new BridleError("RUN_FAILED", { reason: `there is no ${name} among the results` });
        tensors[name] = {
          dtype: result.type as TensorDType,
          shape: result.dims,
          data: result.data as Float32Array,
        } as Tensor;
      }
      return tensors;
    },
    close: () => session.release(),
  };
}
