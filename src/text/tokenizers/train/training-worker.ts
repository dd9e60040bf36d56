// The thread that does parts of a tokenizer's training.
import { answering } from "../../worker-answer.js";
import { runTask } from "./training-tasks.js";

export default answering(runTask);
