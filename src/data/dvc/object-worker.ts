// A worker thread that hashes, keeps, places and copies files.
import { answering } from "../../text/worker-answer.js";
import { runTask } from "./object-work.js";

export default answering(runTask);
