// What goes into a model and what comes out: for who calls it, for who runs it, and what holds unless a caller says more.
import type { Signature, SignatureField, TensorField } from "../api/registry.js";
import { type Fact, Facts } from "../shell/facts.js";
import { count } from "../shell/figures.js";
import classes from "./version-page.module.css";

export function SignatureView({ of }: { readonly of: Signature }) {
  const { inputs, outputs, limits, defaults, tensors } = of;
  return (
    <div className={classes.signature}>
      <section>
        <h3>Of a request</h3>
        <Facts
          of={[
            { name: "In", value: <Fields of={inputs} /> },
            { name: "Out", value: <Fields of={outputs} /> },
            {
              name: "Reads at once",
              value: tokens(limits.maxInputTokens),
              note: "longer documents are read in parts",
            },
            { name: "Writes at most", value: tokens(limits.maxNewTokens) },
            { name: "Vocabulary", value: `${count(limits.vocabularySize)} tokens` },
          ]}
        />
      </section>
      <section>
        <h3>Unless a caller says otherwise</h3>
        <Facts of={factsOf(defaults)} />
      </section>
      <section>
        <h3>Of an exported graph</h3>
        <Facts
          of={[
            { name: "In", value: <Tensors of={tensors.inputs} /> },
            { name: "Out", value: <Tensors of={tensors.outputs} /> },
          ]}
        />
      </section>
    </div>
  );
}

function tokens(most: number | null): string {
  return most === null ? "any number of tokens" : `${count(most)} tokens`;
}

function factsOf(defaults: Signature["defaults"]): readonly Fact[] {
  const all = Object.entries(defaults);
  if (all.length === 0) return [{ name: "Options", value: "none of its own" }];
  return all.map(([name, value]) => ({
    name,
    value: <code>{typeof value === "string" ? value : JSON.stringify(value)}</code>,
  }));
}

function Fields({ of }: { readonly of: readonly SignatureField[] }) {
  return of.map(({ name, type, required }) => (
    <span key={name} className={classes.field}>
      <code>{name}</code> {type}
      {required === false && ", optional"}
    </span>
  ));
}

function Tensors({ of }: { readonly of: readonly TensorField[] }) {
  return of.map(({ name, dtype, shape }) => (
    <span key={name} className={classes.field}>
      <code>{name}</code> {dtype} [{shape.map((size) => (size < 0 ? "any" : size)).join(", ")}]
    </span>
  ));
}
