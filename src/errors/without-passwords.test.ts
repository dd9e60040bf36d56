// Tests what is kept and shown of addresses with passwords.
import { expect, it } from "vitest";
import { withoutPasswords } from "./without-passwords.js";

it.each([
  ["postgres://me:secret@h:5432/x", "postgres://me@h:5432/x"],
  ["mlflow=https://me:p@ss@host/p", "mlflow=https://me@host/p"],
  [
    "--db=postgres://h/x?password=secret&sslmode=require",
    "--db=postgres://h/x?password=…&sslmode=require",
  ],
  ["http://localhost:5000", "http://localhost:5000"],
  ["data.train=a:b@c.jsonl", "data.train=a:b@c.jsonl"],
])("keeps %s as %s", (word, kept) => {
  expect(withoutPasswords(word)).toBe(kept);
});
