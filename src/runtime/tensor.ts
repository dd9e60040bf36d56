// A tensor on the host: what sessions are fed and what they answer.
import { BridleError } from "../errors/error.js";
import type { DType } from "../graph/index.js";

export interface TensorData {
  float32: Float32Array;
  int32: Int32Array;
  int64: BigInt64Array;
  int8: Int8Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}

export type TensorDType = keyof TensorData & DType;

/** Row-major elements of a known shape. */
export interface Tensor<D extends TensorDType = TensorDType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: TensorData[D];
}

export function size(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

function checked<D extends TensorDType>(
  dtype: D,
  shape: readonly number[],
  data: TensorData[D],
): Tensor<D> {
  if (size(shape) !== data.length) {
    throw new BridleError("SHAPE_MISMATCH", {
      op: "tensor",
      reason: `${data.length} elements do not fill [${shape}]`,
    });
  }
  return { dtype, shape, data };
}

/** @throws SHAPE_MISMATCH when the elements do not fill the shape. */
export function float32(data: Float32Array, shape: readonly number[]): Tensor<"float32"> {
  return checked("float32", shape, data);
}

/** @throws SHAPE_MISMATCH when the elements do not fill the shape. */
export function int32(data: Int32Array, shape: readonly number[]): Tensor<"int32"> {
  return checked("int32", shape, data);
}

/** Whole numbers as an int64 tensor. @throws SHAPE_MISMATCH when they do not fill the shape. */
export function int64(values: ArrayLike<number>, shape: readonly number[]): Tensor<"int64"> {
  return checked(
    "int64",
    shape,
    BigInt64Array.from({ length: values.length }, (_, i) => BigInt(values[i] ?? 0)),
  );
}

/**
 * How many rows of equal length there are, and that length.
 * @throws SHAPE_MISMATCH naming the first row of another length.
 */
export function rowsShape(
  name: string,
  rows: readonly (readonly number[])[],
): readonly [rows: number, length: number] {
  const length = rows[0]?.length ?? 0;
  const ragged = rows.findIndex((row) => row.length !== length);
  if (ragged >= 0 || length === 0) {
    throw new BridleError("SHAPE_MISMATCH", {
      op: name,
      reason:
        ragged < 0
          ? "it is empty"
          : `row ${ragged} has ${rows[ragged]?.length} elements, row 0 has ${length}`,
    });
  }
  return [rows.length, length];
}

/**
 * Rows of equal length as one int64 tensor [rows, length].
 * @throws SHAPE_MISMATCH naming the first row of another length.
 */
export function int64Rows(name: string, rows: readonly (readonly number[])[]): Tensor<"int64"> {
  return int64(rows.flat(), rowsShape(name, rows));
}
