// Reads the float32 tensors of a golden safetensors file.
// @ts-check
import path from "node:path";
import { GoldenFileError } from "./golden-folder.mjs";

/** @param {string} file a file of dist/, typed by its source */
const compiled = (file) => import(new URL(`../../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../../src/model/checkpoint/safetensors.js")} */
const { readSafetensorsHeader } = await compiled("model/checkpoint/safetensors.js");
/** @type {typeof import("../../src/model/checkpoint/stored.js")} */
const { readFloat32 } = await compiled("model/checkpoint/stored.js");

/**
 * @param {import("./golden-folder.mjs").GoldenFolder} folder @param {string} file path within the folder
 * @returns {Promise<Map<string, {shape: readonly number[], data: Float32Array}>>}
 */
export async function readTensors(folder, file) {
  await folder.readBytes(file);
  /** @type {Map<string, {shape: readonly number[], data: Float32Array}>} */
  const tensors = new Map();
  try {
    for (const tensor of (await readSafetensorsHeader(path.join(folder.root, file))).values()) {
      tensors.set(tensor.name, { shape: tensor.shape, data: await readFloat32(tensor) });
    }
  } catch (thrown) {
    throw new GoldenFileError(`${file} is unreadable (${thrown})`);
  }
  return tensors;
}
