// Interprets the few pickle opcodes that PyTorch's weight files are made of. Nothing is imported, nothing is run:
// a name outside the list below is an error.
import { BridleError } from "../../errors/error.js";
import type { StoredDType } from "./stored.js";

/** A storage that the pickle names; its bytes lie elsewhere in the file. */
export interface StorageReference {
  readonly kind: "storage";
  readonly dtype: StoredDType;
  readonly key: string;
  readonly elements: number;
}

/** What `torch._utils._rebuild_tensor_v2` would have built. */
export interface PickledTensor {
  readonly kind: "tensor";
  readonly storage: StorageReference;
  /** First element in the storage. */
  readonly elementOffset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** A value of a pickle: plain data, tensors, and the names that stand for functions. */
export type Pickled =
  | null
  | boolean
  | number
  | bigint
  | string
  | Pickled[]
  | Map<Pickled, Pickled>
  | StorageReference
  | PickledTensor
  | { readonly kind: "global"; readonly name: string };

const storages: Readonly<Record<string, StoredDType>> = {
  "torch DoubleStorage": "float64",
  "torch FloatStorage": "float32",
  "torch HalfStorage": "float16",
  "torch BFloat16Storage": "bfloat16",
  "torch LongStorage": "int64",
  "torch IntStorage": "int32",
  "torch ShortStorage": "int16",
  "torch CharStorage": "int8",
  "torch ByteStorage": "uint8",
  "torch BoolStorage": "bool",
};

const rebuildTensor = "torch._utils _rebuild_tensor_v2";
const rebuildParameter = "torch._utils _rebuild_parameter";
const orderedDict = "collections OrderedDict";
const allowed = new Set([rebuildTensor, rebuildParameter, orderedDict, ...Object.keys(storages)]);

/** More values than this are no names and shapes of a checkpoint: the largest have some hundred thousand. */
const maxValues = 2_000_000;

/** As many dimensions as PyTorch's tensors have at most. */
const mostDimensions = 64;

/** What a pickle that ends too soon is told with. */
export const cutOff = "it is cut off";

/** A value in a few words: what nests deep cannot be written out. */
export function describePickled(value: Pickled): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 100));
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return "a list";
  return value instanceof Map ? "a dictionary" : `a ${value.kind}`;
}

const isGlobal = (value: Pickled | undefined): value is { kind: "global"; name: string } =>
  typeof value === "object" && value !== null && "kind" in value && value.kind === "global";

const latin1 = new TextDecoder("latin1");
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export interface PickleResult {
  readonly value: Pickled;
  /** First byte after the pickle. */
  readonly end: number;
}

/**
 * Reads one pickle (protocols 0 to 5, as far as torch.save writes them).
 * @param file named in errors
 * @throws PICKLE_FORBIDDEN naming a global that is not on the list; WEIGHTS_CORRUPT for anything malformed.
 */
export function readPickle(bytes: Uint8Array, start: number, file: string): PickleResult {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = start;
  const corrupt = (reason: string) =>
    new BridleError("WEIGHTS_CORRUPT", { file, reason: `${reason} (byte ${at} of its pickle)` });
  let values = 0;
  const stack: Pickled[] = [];
  const marks: number[] = [];
  const memo = new Map<number, Pickled>();

  const take = (length: number): number => {
    if (!(length >= 0) || at + length > bytes.length) throw corrupt(cutOff);
    at += length;
    return at - length;
  };
  const byte = () => bytes[take(1)] as number;
  const uint16 = () => view.getUint16(take(2), true);
  const uint32 = () => view.getUint32(take(4), true);
  const string = (length: number) => {
    const from = take(length);
    try {
      return utf8.decode(bytes.subarray(from, at));
    } catch {
      throw corrupt("a string is not UTF-8");
    }
  };
  const line = () => {
    const end = bytes.indexOf(10, at);
    if (end < 0) throw corrupt(cutOff);
    const text = latin1.decode(bytes.subarray(at, end));
    at = end + 1;
    return text;
  };
  const long = (length: number) => {
    const from = take(length);
    if (length > 32) throw corrupt(`a number has ${length} bytes`);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[from + i] as number);
    if (length > 0 && (bytes[from + length - 1] as number) & 0x80)
      value -= 1n << BigInt(8 * length);
    return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
      ? Number(value)
      : value;
  };
  const count = () => {
    values += 1;
    if (values > maxValues) throw corrupt(`it has more than ${maxValues} values`);
  };
  const push = (value: Pickled) => {
    count();
    stack.push(value);
  };
  const pop = (): Pickled => {
    const value = stack.length > (marks.at(-1) ?? 0) ? stack.pop() : undefined;
    if (value === undefined) throw corrupt("it takes from an empty stack");
    return value;
  };
  const top = (): Pickled => {
    const value = stack.at(-1);
    if (value === undefined) throw corrupt("it looks at an empty stack");
    return value;
  };
  const popMark = (): Pickled[] => {
    const mark = marks.pop();
    if (mark === undefined) throw corrupt("it ends a group that was not begun");
    return stack.splice(mark);
  };
  const several = (count: number) => {
    const values: Pickled[] = [];
    for (let i = 0; i < count; i++) values.unshift(pop());
    return values;
  };
  const named = (module: string, name: string): Pickled => {
    const full = `${module} ${name}`;
    if (!allowed.has(full))
      throw new BridleError("PICKLE_FORBIDDEN", { file, name: `${module}.${name}` });
    return { kind: "global", name: full };
  };
  const setItems = (target: Pickled, items: readonly Pickled[]) => {
    if (!(target instanceof Map) || items.length % 2 !== 0)
      throw corrupt("it sets items of what is no dictionary");
    for (let i = 0; i < items.length; i += 2)
      target.set(items[i] as Pickled, items[i + 1] as Pickled);
  };
  const recall = (key: number) => {
    const value = memo.get(key);
    if (value === undefined) throw corrupt(`it recalls the unknown memo ${key}`);
    push(value);
  };

  /** Calls one of the allowed names, which only ever builds data. */
  function reduce(callable: Pickled, args: Pickled): Pickled {
    if (!isGlobal(callable) || !Array.isArray(args)) throw corrupt("it calls what is no function");
    if (callable.name === orderedDict) {
      const map = new Map<Pickled, Pickled>();
      const [items] = args;
      if (Array.isArray(items)) {
        for (const item of items) {
          // A list in the memo can be handed over again and again, and each time makes a map of its own.
          count();
          if (!Array.isArray(item) || item.length !== 2)
            throw corrupt("an OrderedDict has an item that is no pair");
          map.set(item[0] as Pickled, item[1] as Pickled);
        }
      }
      return map;
    }
    if (callable.name === rebuildParameter) {
      const [tensor] = args;
      if (
        typeof tensor === "object" &&
        tensor !== null &&
        "kind" in tensor &&
        tensor.kind === "tensor"
      )
        return tensor;
      throw corrupt("a parameter holds no tensor");
    }
    if (callable.name === rebuildTensor) {
      const [storage, offset, shape, strides] = args;
      const sizes = (value: Pickled | undefined): value is number[] =>
        Array.isArray(value) &&
        value.length <= mostDimensions &&
        value.every((n) => typeof n === "number" && Number.isSafeInteger(n) && n >= 0);
      if (
        typeof storage !== "object" ||
        storage === null ||
        !("kind" in storage) ||
        storage.kind !== "storage" ||
        typeof offset !== "number" ||
        !Number.isSafeInteger(offset) ||
        offset < 0 ||
        !sizes(shape) ||
        !sizes(strides) ||
        shape.length !== strides.length
      ) {
        throw corrupt("a tensor is described in a way that makes no sense");
      }
      return { kind: "tensor", storage, elementOffset: offset, shape, strides };
    }
    throw corrupt(`it calls ${callable.name}, which is a type`);
  }

  /** The storage behind `("storage", type, key, location, elements, …)`. */
  function persistent(id: Pickled): Pickled {
    if (!Array.isArray(id)) throw corrupt("a storage is named in an unknown way");
    const [tag, type, key, , elements] = id;
    const dtype = isGlobal(type) ? storages[type.name] : undefined;
    if (
      tag !== "storage" ||
      dtype === undefined ||
      typeof key !== "string" ||
      typeof elements !== "number" ||
      !Number.isSafeInteger(elements) ||
      elements < 0
    ) {
      throw corrupt("a storage is named in an unknown way");
    }
    return { kind: "storage", dtype, key, elements };
  }

  for (;;) {
    const opcode = String.fromCharCode(byte());
    switch (opcode) {
      case "\x80":
        byte();
        break; // PROTO
      case "\x95":
        take(8);
        break; // FRAME
      case ".":
        return { value: pop(), end: at }; // STOP
      case "(":
        count();
        marks.push(stack.length);
        break; // MARK
      case "0":
        pop();
        break; // POP
      case "1":
        popMark();
        break; // POP_MARK
      case "2":
        push(top());
        break; // DUP
      case "N":
        push(null);
        break; // NONE
      case "\x88":
        push(true);
        break; // NEWTRUE
      case "\x89":
        push(false);
        break; // NEWFALSE
      case "K":
        push(byte());
        break; // BININT1
      case "M":
        push(uint16());
        break; // BININT2
      case "J":
        push(view.getInt32(take(4), true));
        break; // BININT
      case "\x8a":
        push(long(byte()));
        break; // LONG1
      case "G":
        push(view.getFloat64(take(8), false));
        break; // BINFLOAT
      case "X":
        push(string(uint32()));
        break; // BINUNICODE
      case "\x8c":
        push(string(byte()));
        break; // SHORT_BINUNICODE
      case "U":
        push(string(byte()));
        break; // SHORT_BINSTRING
      case "T":
        push(string(uint32()));
        break; // BINSTRING
      case "}":
        push(new Map());
        break; // EMPTY_DICT
      case "]":
        push([]);
        break; // EMPTY_LIST
      case ")":
        push([]);
        break; // EMPTY_TUPLE
      case "\x85":
        push(several(1));
        break; // TUPLE1
      case "\x86":
        push(several(2));
        break; // TUPLE2
      case "\x87":
        push(several(3));
        break; // TUPLE3
      case "t":
        push(popMark());
        break; // TUPLE
      case "l":
        push(popMark());
        break; // LIST
      case "d": {
        // DICT
        const items = popMark();
        const map = new Map<Pickled, Pickled>();
        setItems(map, items);
        push(map);
        break;
      }
      case "a": {
        // APPEND
        const item = pop();
        const list = top();
        if (!Array.isArray(list)) throw corrupt("it appends to what is no list");
        list.push(item);
        break;
      }
      case "e": {
        // APPENDS
        const items = popMark();
        const list = top();
        if (!Array.isArray(list)) throw corrupt("it appends to what is no list");
        for (const item of items) list.push(item);
        break;
      }
      case "s": {
        // SETITEM
        const items = several(2);
        setItems(top(), items);
        break;
      }
      case "u": {
        // SETITEMS
        const items = popMark();
        setItems(top(), items);
        break;
      }
      case "q":
        memo.set(byte(), top());
        break; // BINPUT
      case "r":
        memo.set(uint32(), top());
        break; // LONG_BINPUT
      case "\x94":
        memo.set(memo.size, top());
        break; // MEMOIZE
      case "h":
        recall(byte());
        break; // BINGET
      case "j":
        recall(uint32());
        break; // LONG_BINGET
      case "c":
        push(named(line(), line()));
        break; // GLOBAL
      case "\x93": {
        // STACK_GLOBAL
        const [module, name] = several(2);
        if (typeof module !== "string" || typeof name !== "string")
          throw corrupt("a global has no name");
        push(named(module, name));
        break;
      }
      case "R": {
        // REDUCE
        const args = pop();
        push(reduce(pop(), args));
        break;
      }
      case "b":
        pop();
        break; // BUILD: the state of an OrderedDict (_metadata) is not needed
      case "Q":
        push(persistent(pop()));
        break; // BINPERSID
      default:
        throw corrupt(
          `the opcode 0x${opcode.charCodeAt(0).toString(16)} has no place in a weight file`,
        );
    }
  }
}
