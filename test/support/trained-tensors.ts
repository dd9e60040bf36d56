// Lays out parameters, gradients and an optimizer's state in one TensorMemory, for tests.
import type { Optimizer } from "../../src/train/optimizers/optimizer.js";
import { allocateTensors, type Tensors } from "../../src/train/tensor-memory.js";

type Shapes = Readonly<Record<string, readonly number[]>>;

/** Tensors of the given shapes in one memory for each of the parts. */
export function tensorsOf<P extends string>(shapes: Shapes, parts: readonly P[]) {
  const memory = allocateTensors(
    Object.entries(shapes).map(([name, shape]) => ({
      name,
      parts: Object.fromEntries(parts.map((part) => [part, shape])),
    })),
  );
  return Object.fromEntries(parts.map((part) => [part, memory.tensors(part)])) as Record<
    P,
    Tensors
  >;
}

/** Weights, gradients and fresh state for an optimizer. */
export function trainedTensors(shapes: Shapes, optimizer: Optimizer) {
  const memory = allocateTensors(
    Object.entries(shapes).map(([name, shape]) => {
      const { parts, scratchBytes } = optimizer.requirements(shape);
      return { name, parts: { weight: shape, gradient: shape, ...parts }, scratchBytes };
    }),
  );
  const weights = memory.tensors("weight");
  return {
    memory,
    weights,
    gradients: memory.tensors("gradient"),
    state: optimizer.init(weights, memory),
  };
}

/** Copies elements into tensors by name. */
export function setTensors(
  tensors: Tensors,
  values: Readonly<Record<string, ArrayLike<number>>>,
): void {
  for (const [name, elements] of Object.entries(values)) tensors.get(name)!.data.set(elements);
}

/** Elements by name, copied. */
export function copyTensors(tensors: Tensors): Record<string, number[]> {
  return Object.fromEntries([...tensors].map(([name, { data }]) => [name, [...data]]));
}
