// A float32 weight as whole numbers and scales: 8 bits a row of the weight, or 4 bits a block of a row.
import { blockSize } from "../../graph/index.js";

/** Largest magnitude of each row of [rows, columns], over 127; 1 for a row of zeros. */
export function rowScales(data: Float32Array, rows: number): Float32Array {
  const columns = data.length / rows;
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    let most = 0;
    for (let i = row * columns; i < (row + 1) * columns; i++) {
      const magnitude = Math.abs(data[i] as number);
      if (magnitude > most) most = magnitude;
    }
    scales[row] = most === 0 ? 1 : most / 127;
  }
  return scales;
}

/** Rows as they lie, each over its scale. */
export function packRows(data: Float32Array, scales: Float32Array): Int8Array {
  const columns = data.length / scales.length;
  const packed = new Int8Array(data.length);
  for (const [row, scale] of scales.entries()) {
    const factor = 1 / scale;
    for (let i = row * columns; i < (row + 1) * columns; i++)
      packed[i] = Math.round((data[i] as number) * factor);
  }
  return packed;
}

/** Elements that are turned around at a time: as many rows and columns as stay in the processor's cache. */
const tile = 64;

/**
 * A weight [out,in] as the columns of a product, [in,out].
 * @param plus what is added to each element, 128 where a product takes unsigned ones
 */
export function packColumns(
  data: Float32Array,
  scales: Float32Array,
  plus: 0 | 128,
): Int8Array | Uint8Array {
  const out = scales.length;
  const inner = data.length / out;
  const packed = plus === 0 ? new Int8Array(data.length) : new Uint8Array(data.length);
  const factors = scales.map((scale) => 1 / scale);
  for (let row = 0; row < out; row += tile) {
    for (let column = 0; column < inner; column += tile) {
      for (let r = row; r < Math.min(row + tile, out); r++) {
        const factor = factors[r] as number;
        for (let c = column; c < Math.min(column + tile, inner); c++)
          packed[c * out + r] = Math.round((data[r * inner + c] as number) * factor) + plus;
      }
    }
  }
  return packed;
}

/** 4-bit blocks along each row, two elements a byte and the earlier one low, with a scale a block. The zero is 8. */
export function packBlocks(data: Float32Array): { blocks: Uint8Array; scales: Float32Array } {
  const blocks = new Uint8Array(data.length / 2);
  const scales = new Float32Array(data.length / blockSize);
  for (let block = 0; block < scales.length; block++) {
    const start = block * blockSize;
    let largest = 0;
    for (let i = start; i < start + blockSize; i++) {
      const x = data[i] as number;
      if (Math.abs(x) > Math.abs(largest)) largest = x;
    }
    // The largest element becomes −8, the one end of the range that has no opposite.
    const scale = largest === 0 ? 1 : largest / -8;
    scales[block] = scale;
    for (let i = start; i < start + blockSize; i++) {
      const level = Math.min(15, Math.max(0, Math.round((data[i] as number) / scale) + 8));
      blocks[i >> 1] = (blocks[i >> 1] as number) | (level << (4 * (i & 1)));
    }
  }
  return { blocks, scales };
}
