// What an optimizer is: a way to lay out its state beside the weights, and an update of both in place.
import { BridleError } from "../../errors/error.js";
import { sameShape } from "../../graph/value.js";
import type { Tensor } from "../../runtime/tensor.js";
import type { TensorMemory, Tensors } from "../tensor-memory.js";

/** All that an optimizer keeps between steps: tensors by slot and parameter, to be saved and restored as they are. */
export type OptimizerState<Slot extends string = string> = Readonly<Record<Slot, Tensors>>;

export interface Step {
  /** How many updates came before this one; the first is 0. */
  readonly index: number;
  /** The learning rate of this step, as the schedule has it. */
  readonly lr: number;
  /** Taken times every gradient before anything else; clipping puts its factor here. 1 where it is left out. */
  readonly gradientScale?: number;
}

export interface Optimizer<Slot extends string = string> {
  readonly slots: readonly Slot[];
  /** What to reserve beside a weight of this shape: the state's shapes by slot, and scratch space. */
  requirements(shape: readonly number[]): {
    readonly parts: Readonly<Partial<Record<Slot, readonly number[]>>>;
    readonly scratchBytes: number;
  };
  /**
   * The learning rate of a step, before it is scaled by a parameter's size.
   * @param index how many updates came before
   * @param lr the schedule's, which an optimizer may leave unused
   */
  rate(index: number, lr: number): number;
  /** Takes the state's tensors out of the memory that was reserved for them, and sets them to zero. */
  init(params: Tensors, memory: TensorMemory): OptimizerState<Slot>;
  /**
   * One step: weights and state change in place. A parameter without a gradient stays as it is, with its state.
   * @throws SHAPE_MISMATCH for a gradient that fits no parameter.
   */
  update(params: Tensors, grads: Tensors, state: OptimizerState<Slot>, step: Step): void;
}

/** A parameter with what an update of it needs. */
export interface Trained {
  readonly name: string;
  readonly weight: Tensor<"float32">;
  readonly gradient: Tensor<"float32">;
}

/** Pairs gradients with their parameters, in the parameters' order. @throws SHAPE_MISMATCH as `update` does. */
export function pairGradients(params: Tensors, grads: Tensors): Trained[] {
  for (const [name, gradient] of grads) {
    const weight = params.get(name);
    if (weight === undefined || !sameShape(weight.shape, gradient.shape)) {
      throw new BridleError("SHAPE_MISMATCH", {
        op: "update",
        reason:
          weight === undefined
            ? `there is a gradient for ${name}, which is no trained parameter`
            : `${name} is [${weight.shape}] and its gradient [${gradient.shape}]`,
      });
    }
  }
  return [...params].flatMap(([name, weight]) => {
    const gradient = grads.get(name);
    return gradient === undefined ? [] : [{ name, weight, gradient }];
  });
}

/** The state's tensors out of memory, zeroed. @throws BUG when the memory was reserved for another optimizer. */
export function initState<Slot extends string>(
  optimizer: Pick<Optimizer<Slot>, "slots" | "requirements">,
  params: Tensors,
  memory: TensorMemory,
): OptimizerState<Slot> {
  const state = {} as Record<Slot, Tensors>;
  for (const slot of optimizer.slots) {
    const reserved = memory.tensors(slot);
    const tensors = new Map<string, Tensor<"float32">>();
    for (const [name, { shape }] of params) {
      const needed = optimizer.requirements(shape).parts[slot];
      if (needed === undefined) continue;
      const tensor = reserved.get(name);
      if (tensor === undefined || !sameShape(tensor.shape, needed)) {
        throw new BridleError("BUG", { reason: `no memory was reserved for ${slot} of ${name}` });
      }
      tensor.data.fill(0);
      tensors.set(name, tensor);
    }
    state[slot] = tensors;
  }
  return state;
}

/** The state of one parameter. @throws BUG when the state is of other parameters. */
export function stateOf<Slot extends string>(
  state: OptimizerState<Slot>,
  slot: Slot,
  name: string,
): Float32Array {
  const tensor = state[slot].get(name);
  if (tensor === undefined) throw new BridleError("BUG", { reason: `no ${slot} for ${name}` });
  return tensor.data;
}
