// What a worker thread hands back: its result, or its error in a form that survives the way between threads.
import { type ErrorData, fromErrorData, toErrorData } from "../errors/error.js";

export type WorkerAnswer<Result> = { readonly result: Result } | { readonly error: ErrorData };

/** Makes a function into one whose errors cross to the caller's thread with their codes. */
export function answering<Task, Result>(
  work: (task: Task) => Result | Promise<Result>,
): (task: Task) => Promise<WorkerAnswer<Result>> {
  return async (task) => {
    try {
      return { result: await work(task) };
    } catch (thrown) {
      return { error: toErrorData(thrown) };
    }
  };
}

/** The result of an answer. @throws the error it holds instead */
export function resultOf<Result>(answer: WorkerAnswer<Result>): Result {
  if ("error" in answer) throw fromErrorData(answer.error);
  return answer.result;
}
