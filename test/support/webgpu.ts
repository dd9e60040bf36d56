// Whether a WebGPU adapter answers here; SwiftShader, which needs no GPU, counts.
import { GraphBuilder, relu } from "../../src/graph/index.js";
import { openSession } from "../../src/runtime/session.js";

/**
 * Whether a session opens on WebGPU. Where BRIDLE_EXPECT_WEBGPU is 1, as in .ci/run, it must.
 * @throws DEVICE_UNAVAILABLE where one is expected and does not open
 */
export async function webgpuAnswers(): Promise<boolean> {
  const g = new GraphBuilder();
  const graph = g.finish([g.output("y", relu(g, g.input("x", "float32", [1])))]);
  try {
    await (await openSession(graph, new Map(), { device: "webgpu", threads: 1 })).close();
    return true;
  } catch (thrown) {
    if (process.env.BRIDLE_EXPECT_WEBGPU === "1") throw thrown;
    return false;
  }
}
