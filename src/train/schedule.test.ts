// Tests the learning rates against those of transformers.get_scheduler.
import { expect, it } from "vitest";
import { recordedOptimizers } from "../../test/golden/recorded-optimizers.js";
import { ScheduleOptions } from "../config/schedule-options.js";
import { createSchedule } from "./schedule.js";

it.each(recordedOptimizers.schedules)(
  "$options over $totalSteps steps and beyond",
  ({ options, learningRate, totalSteps, lrs }) => {
    const schedule = createSchedule(ScheduleOptions.parse(options), { learningRate, totalSteps });
    for (const [index, lr] of lrs.entries()) {
      expect(Math.abs(schedule(index) - lr)).toBeLessThanOrEqual(1e-15 * learningRate);
    }
  },
);

it("takes the warm-up as a share of all steps, rounded up", () => {
  const run = { learningRate: 1, totalSteps: 25 };
  const byRatio = createSchedule({ name: "cosine", warmupRatio: 0.1 }, run);
  const bySteps = createSchedule({ name: "cosine", warmupSteps: 3 }, run);
  for (let index = 0; index < 25; index++) expect(byRatio(index)).toBe(bySteps(index));
  expect(byRatio(3)).toBe(1);
});
