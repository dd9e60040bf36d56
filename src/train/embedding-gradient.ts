// Adds the gradients of looked-up embedding rows to the gradient of the table.
import { BridleError } from "../errors/error.js";
import type { Tensor } from "../runtime/tensor.js";
import { homeOf } from "./tensor-memory.js";

/**
 * table[ids[i]] ← table[ids[i]] + rows[i], one after the other, so that equal inputs give equal sums.
 * table [vocabulary, width], rows [ids.length, width]; both in one TensorMemory.
 * @param paddingId its rows are left out, as torch's `padding_idx` does
 * @throws SHAPE_MISMATCH when the widths or counts differ, or an id is no row of the table.
 */
export function addEmbeddingRows(
  table: Tensor<"float32">,
  ids: BigInt64Array | Int32Array | readonly number[],
  rows: Float32Array,
  { paddingId }: { paddingId?: number } = {},
): void {
  const [vocabulary = 0, width = 0] = table.shape;
  if (table.shape.length !== 2 || rows.length !== ids.length * width) {
    throw new BridleError("SHAPE_MISMATCH", {
      op: "addEmbeddingRows",
      reason: `${rows.length} elements are no ${ids.length} rows of a table [${table.shape}]`,
    });
  }
  const { kernels } = homeOf(table.data, rows);
  const rowBytes = 4 * width;
  for (let i = 0; i < ids.length; i++) {
    const id = Number(ids[i]);
    if (!(Number.isInteger(id) && id >= 0 && id < vocabulary)) {
      throw new BridleError("SHAPE_MISMATCH", {
        op: "addEmbeddingRows",
        reason: `row ${i} has the id ${id}, and the table has ${vocabulary} rows`,
      });
    }
    if (id === paddingId) continue;
    const to = table.data.byteOffset + id * rowBytes;
    kernels.addScaled(to, rows.byteOffset + i * rowBytes, width, 1);
  }
}
