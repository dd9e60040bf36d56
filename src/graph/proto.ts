// ONNX models to protobuf bytes and back: the few messages of onnx.proto that a graph needs.
import { BridleError } from "../errors/error.js";
import {
  isExternal,
  type OnnxAttribute,
  type OnnxInitializer,
  type OnnxModel,
  type OnnxNode,
  type OnnxSubgraph,
  type OnnxValueInfo,
} from "./onnx.js";
import { float, signed, text, visit, Writer } from "./protobuf.js";
import { type ConstantData, type DType, dtypes } from "./value.js";

const irVersion = 10;

// Field numbers of onnx.proto (onnx/onnx, IR version 10).
const model = { irVersion: 1, producer: 2, graph: 7, opset: 8 };
const opsetId = { domain: 1, version: 2 };
const graph = { node: 1, name: 2, initializer: 5, input: 11, output: 12 };
const node = { input: 1, output: 2, name: 3, opType: 4, attribute: 5, domain: 7 };
const attribute = { name: 1, f: 2, i: 3, s: 4, g: 6, ints: 8, type: 20 };
const attributeType = { float: 1, int: 2, string: 3, graph: 5, ints: 7 };
const tensor = { dims: 1, dataType: 2, name: 8, raw: 9, externalData: 13, dataLocation: 14 };
const entry = { key: 1, value: 2 };
const valueInfo = { name: 1, type: 2 };
const typeProto = { tensor: 1 };
const tensorType = { elem: 1, shape: 2 };
const shapeProto = { dim: 1 };
const dimension = { value: 1, param: 2 };

function writeAttribute(name: string, value: OnnxAttribute): (w: Writer) => void {
  return (w) => {
    w.string(attribute.name, name);
    if (typeof value === "string") {
      w.string(attribute.s, value).int(attribute.type, attributeType.string);
    } else if (typeof value === "number" || typeof value === "boolean") {
      w.int(attribute.i, Number(value)).int(attribute.type, attributeType.int);
    } else if ("float" in value) {
      w.float(attribute.f, value.float).int(attribute.type, attributeType.float);
    } else if ("graph" in value) {
      w.message(attribute.g, writeSubgraph(name, value.graph));
      w.int(attribute.type, attributeType.graph);
    } else {
      for (const item of value) w.int(attribute.ints, item);
      w.int(attribute.type, attributeType.ints);
    }
  };
}

function writeSubgraph(name: string, { nodes, outputs }: OnnxSubgraph): (w: Writer) => void {
  return (w) => {
    for (const n of nodes) w.message(graph.node, writeNode(n));
    w.string(graph.name, name);
    for (const info of outputs) w.message(graph.output, writeValueInfo(info));
  };
}

function writeNode(n: OnnxNode): (w: Writer) => void {
  return (w) => {
    for (const name of n.inputs) w.string(node.input, name);
    for (const name of n.outputs) w.string(node.output, name);
    w.string(node.name, n.name).string(node.opType, n.opType);
    for (const [name, value] of Object.entries(n.attributes)) {
      w.message(node.attribute, writeAttribute(name, value));
    }
    if (n.domain) w.string(node.domain, n.domain);
  };
}

function writeInitializer(init: OnnxInitializer): (w: Writer) => void {
  return (w) => {
    for (const dim of init.shape) {
      if (typeof dim === "string") {
        throw new BridleError("GRAPH_INVALID", {
          reason: `initializer ${init.name} has the unknown dimension "${dim}"`,
        });
      }
      w.int(tensor.dims, dim);
    }
    w.int(tensor.dataType, dtypes[init.dtype].onnx).string(tensor.name, init.name);
    const { data } = init;
    if (!isExternal(data)) {
      w.bytes(tensor.raw, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      return;
    }
    const pairs = { location: data.location, offset: data.offset, length: data.length };
    for (const [key, value] of Object.entries(pairs)) {
      w.message(tensor.externalData, (e) =>
        e.string(entry.key, key).string(entry.value, String(value)),
      );
    }
    w.int(tensor.dataLocation, 1);
  };
}

function writeValueInfo(info: OnnxValueInfo): (w: Writer) => void {
  return (w) => {
    w.string(valueInfo.name, info.name).message(valueInfo.type, (type) =>
      type.message(typeProto.tensor, (t) => {
        t.int(tensorType.elem, dtypes[info.dtype].onnx).message(tensorType.shape, (shape) => {
          for (const dim of info.shape) {
            shape.message(shapeProto.dim, (d) => {
              if (typeof dim === "string") d.string(dimension.param, dim);
              else d.int(dimension.value, dim);
            });
          }
        });
      }),
    );
  };
}

/**
 * The bytes of a .onnx file. Protobuf messages end at 2 GiB, so weights belong in external data.
 * @throws GRAPH_INVALID when an initializer's shape is not known, or the message would pass 2 GiB.
 */
export function encodeModel(m: OnnxModel): Uint8Array {
  const inline = m.initializers.reduce(
    (sum, { data }) => sum + (isExternal(data) ? 0 : data.byteLength),
    0,
  );
  if (inline >= 2 ** 31 - 2 ** 24) {
    throw new BridleError("GRAPH_INVALID", {
      reason: `${inline} bytes of initializers do not fit one protobuf message; keep weights in external data`,
    });
  }
  const w = new Writer().int(model.irVersion, irVersion).string(model.producer, "bridle");
  w.message(model.graph, (g) => {
    for (const n of m.nodes) g.message(graph.node, writeNode(n));
    g.string(graph.name, "bridle");
    for (const init of m.initializers) g.message(graph.initializer, writeInitializer(init));
    for (const info of m.inputs) g.message(graph.input, writeValueInfo(info));
    for (const info of m.outputs) g.message(graph.output, writeValueInfo(info));
  });
  for (const [domain, version] of Object.entries(m.opsets)) {
    w.message(model.opset, (o) => o.string(opsetId.domain, domain).int(opsetId.version, version));
  }
  return w.finish();
}

function dtypeOf(code: number): DType {
  for (const [name, { onnx }] of Object.entries(dtypes)) if (onnx === code) return name as DType;
  throw new BridleError("ONNX_CORRUPT", { reason: `tensor type ${code} is not read`, offset: 0 });
}

function constantOf(dtype: DType, raw: Uint8Array): ConstantData {
  if (raw.byteLength % dtypes[dtype].bytes !== 0) {
    throw new BridleError("ONNX_CORRUPT", {
      reason: `${raw.byteLength} bytes are no whole number of ${dtype}`,
      offset: 0,
    });
  }
  const copy = raw.slice().buffer;
  if (dtype === "float32") return new Float32Array(copy);
  if (dtype === "int32") return new Int32Array(copy);
  if (dtype === "int64") return new BigInt64Array(copy);
  if (dtype === "int8") return new Int8Array(copy);
  return new Uint8Array(copy);
}

function readAttribute(bytes: Uint8Array): [string, OnnxAttribute] {
  let name = "";
  let type = 0;
  let real = 0;
  let int = 0;
  let string = "";
  const ints: number[] = [];
  let subgraph: OnnxSubgraph = { nodes: [], outputs: [] };
  visit(bytes, {
    [attribute.name]: { bytes: (b) => (name = text(b)) },
    [attribute.type]: { value: (v) => (type = Number(v)) },
    [attribute.i]: { value: (v) => (int = signed(v)) },
    [attribute.s]: { bytes: (b) => (string = text(b)) },
    [attribute.f]: {
      bytes: (b) => (real = float(b)),
    },
    [attribute.ints]: { value: (v) => ints.push(signed(v)) },
    [attribute.g]: { bytes: (b) => (subgraph = readSubgraph(b)) },
  });
  if (type === attributeType.float) return [name, { float: real }];
  if (type === attributeType.int) return [name, int];
  if (type === attributeType.string) return [name, string];
  if (type === attributeType.ints) return [name, ints];
  if (type === attributeType.graph) return [name, { graph: subgraph }];
  throw new BridleError("ONNX_CORRUPT", {
    reason: `attribute type ${type} is not read`,
    offset: 0,
  });
}

function readSubgraph(bytes: Uint8Array): OnnxSubgraph {
  const nodes: OnnxNode[] = [];
  const outputs: OnnxValueInfo[] = [];
  visit(bytes, {
    [graph.node]: { bytes: (b) => nodes.push(readNode(b)) },
    [graph.output]: { bytes: (b) => outputs.push(readValueInfo(b)) },
  });
  return { nodes, outputs };
}

function readNode(bytes: Uint8Array): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: Record<string, OnnxAttribute> = {};
  let opType = "";
  let domain = "";
  let name = "";
  visit(bytes, {
    [node.input]: { bytes: (b) => inputs.push(text(b)) },
    [node.output]: { bytes: (b) => outputs.push(text(b)) },
    [node.name]: { bytes: (b) => (name = text(b)) },
    [node.opType]: { bytes: (b) => (opType = text(b)) },
    [node.domain]: { bytes: (b) => (domain = text(b)) },
    [node.attribute]: {
      bytes: (b) => {
        const [key, value] = readAttribute(b);
        attributes[key] = value;
      },
    },
  });
  return { opType, domain, name, inputs, outputs, attributes };
}

function readInitializer(bytes: Uint8Array): OnnxInitializer {
  const shape: number[] = [];
  let dtype: DType = "float32";
  let name = "";
  let raw = new Uint8Array();
  let external = false;
  const pairs: Record<string, string> = {};
  visit(bytes, {
    [tensor.dims]: { value: (v) => shape.push(signed(v)) },
    [tensor.dataType]: { value: (v) => (dtype = dtypeOf(Number(v))) },
    [tensor.name]: { bytes: (b) => (name = text(b)) },
    [tensor.raw]: { bytes: (b) => (raw = b as Uint8Array<ArrayBuffer>) },
    [tensor.dataLocation]: { value: (v) => (external = Number(v) === 1) },
    [tensor.externalData]: {
      bytes: (b) => {
        let key = "";
        let value = "";
        visit(b, {
          [entry.key]: { bytes: (k) => (key = text(k)) },
          [entry.value]: { bytes: (v) => (value = text(v)) },
        });
        pairs[key] = value;
      },
    },
  });
  const data = external
    ? {
        location: pairs.location ?? "",
        offset: Number(pairs.offset ?? 0),
        length: Number(pairs.length ?? 0),
      }
    : constantOf(dtype, raw);
  return { name, dtype, shape, data };
}

function readValueInfo(bytes: Uint8Array): OnnxValueInfo {
  let name = "";
  let dtype: DType = "float32";
  const shape: (number | string)[] = [];
  const readDim = (b: Uint8Array) => {
    let dim: number | string = 0;
    visit(b, {
      [dimension.value]: { value: (v) => (dim = signed(v)) },
      [dimension.param]: { bytes: (p) => (dim = text(p)) },
    });
    shape.push(dim);
  };
  const readTensor = (b: Uint8Array) =>
    visit(b, {
      [tensorType.elem]: { value: (v) => (dtype = dtypeOf(Number(v))) },
      [tensorType.shape]: { bytes: (s) => visit(s, { [shapeProto.dim]: { bytes: readDim } }) },
    });
  visit(bytes, {
    [valueInfo.name]: { bytes: (b) => (name = text(b)) },
    [valueInfo.type]: { bytes: (b) => visit(b, { [typeProto.tensor]: { bytes: readTensor } }) },
  });
  return { name, dtype, shape };
}

/**
 * Reads what encodeModel writes; messages and fields that a Bridle graph does not use are skipped.
 * @throws ONNX_CORRUPT naming what is wrong.
 */
export function decodeModel(bytes: Uint8Array): OnnxModel {
  const opsets: Record<string, number> = {};
  const inputs: OnnxValueInfo[] = [];
  const outputs: OnnxValueInfo[] = [];
  const initializers: OnnxInitializer[] = [];
  const nodes: OnnxNode[] = [];
  visit(bytes, {
    [model.graph]: {
      bytes: (g) =>
        visit(g, {
          [graph.node]: { bytes: (b) => nodes.push(readNode(b)) },
          [graph.initializer]: { bytes: (b) => initializers.push(readInitializer(b)) },
          [graph.input]: { bytes: (b) => inputs.push(readValueInfo(b)) },
          [graph.output]: { bytes: (b) => outputs.push(readValueInfo(b)) },
        }),
    },
    [model.opset]: {
      bytes: (b) => {
        let domain = "";
        let version = 0;
        visit(b, {
          [opsetId.domain]: { bytes: (d) => (domain = text(d)) },
          [opsetId.version]: { value: (v) => (version = Number(v)) },
        });
        opsets[domain] = version;
      },
    },
  });
  return { opsets, inputs, outputs, initializers, nodes };
}
