// Readings of the machine a run is on, taken between steps.
import { freemem } from "node:os";
import type { HardwareReading } from "./events.js";

/** A reader whose every call tells of the time since the one before. */
export function createHardwareReader(): () => HardwareReading {
  let usage = process.cpuUsage();
  let at = performance.now();
  return () => {
    const now = performance.now();
    const { user, system } = process.cpuUsage(usage);
    const cpuShare = (user + system) / 1000 / Math.max(1, now - at);
    usage = process.cpuUsage();
    at = now;
    return {
      cpuShare,
      rssBytes: process.memoryUsage.rss(),
      freeMemoryBytes: freemem(),
    };
  };
}
