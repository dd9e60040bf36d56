// `bridle config`: what a run's file and words come to, the keys and presets there are, and the schema for editors.
import type { Command } from "commander";
import { addExamples, addJsonOption } from "./options.js";
import { splitWords } from "./run-words.js";
import { printJson, printLine, type Terminal, write } from "./terminal.js";

interface ShowOptions {
  readonly defaults: boolean;
  readonly json?: boolean;
}

interface SchemaOptions {
  readonly section?: string;
  readonly output?: string;
  readonly json?: boolean;
}

export function addConfigCommand(program: Command, terminal: Terminal): void {
  const config = program
    .command("config")
    .summary("what a run's configuration comes to, and what can be set")
    .description(
      "Looks at params.yaml without training: what it comes to with its presets and key=value words, which keys and " +
        "presets there are, and the JSON Schema that editors complete it by.",
    );
  const show = config
    .command("show")
    .summary("print the resolved configuration with where each value comes from")
    .description(
      "Prints what a file, its presets and words come to, as YAML that can be trained with. Behind each value stands " +
        "where it comes from: a file and line, a word, or nothing where it is a default.",
    )
    .argument("[words...]", "a YAML file and key=value words, as bridle train takes them")
    .option("--no-defaults", "leave out what nobody said");
  addExamples(addJsonOption(show), [
    ["bridle config show params.yaml", "every value and where it comes from"],
    ["bridle config show params.yaml +recipe=lora --no-defaults", "what was said"],
    ["bridle config show params.yaml train.seed=3 --json", "the same for a program"],
  ]).action((words: readonly string[], options: ShowOptions) => runShow(words, options, terminal));
  const keys = config
    .command("keys")
    .summary("list every key of params.yaml")
    .description("Lists every key with its type, its default and what it does.")
    .argument("[prefix]", "only keys at or under this one");
  addExamples(addJsonOption(keys), [
    ["bridle config keys train.optimizer", "what an optimizer can be told"],
    ["bridle config keys --json", "all of them, for a program"],
  ]).action((prefix: string | undefined, options: { json?: boolean }) =>
    runKeys(prefix, options, terminal),
  );
  const groups = config
    .command("groups")
    .summary("list the presets that can be chosen")
    .description(
      "Lists the groups of presets and their options: those in configs/ of the folder the command runs in, and those that " +
        "come with Bridle. An option is chosen in a `defaults` list (model: pegasus-xsum) or by a word (model=pegasus-xsum).",
    );
  addExamples(addJsonOption(groups), [
    ["bridle config groups", "every group with its options"],
  ]).action((options: { json?: boolean }) => runGroups(options, terminal));
  const schema = config
    .command("schema")
    .summary("print the JSON Schema of params.yaml")
    .description(
      "Prints the JSON Schema of params.yaml. A first line `# yaml-language-server: $schema=params.schema.json` has VS " +
        "Code (with its YAML extension) and other editors complete and check the file by it.",
    )
    .option(
      "--section <name>",
      "the schema of a preset of model, data, train, evaluate or generate",
    )
    .option("--output <file>", "write it to a file");
  addExamples(addJsonOption(schema), [
    ["bridle config schema --output params.schema.json", "for the editor"],
    ["bridle config schema --section train", "of presets in configs/train/"],
  ]).action((options: SchemaOptions) => runSchema(options, terminal));
}

async function runShow(
  words: readonly string[],
  { defaults, json }: ShowOptions,
  terminal: Terminal,
): Promise<void> {
  const [{ resolveRunConfig, valuesOf }, { describeOrigin }] = await Promise.all([
    import("../config/load.js"),
    import("../config/layers.js"),
  ]);
  const { file, overrides } = await splitWords(words, "bridle config show");
  const { config, files, choices, originOf } = await resolveRunConfig(file, overrides);
  const said = [...valuesOf(config)].map(({ path, value }) => {
    const origin = originOf(path);
    return { path, value, origin: origin && describeOrigin(origin) };
  });
  const shown = said.filter(({ origin, value }) => value !== undefined && (defaults || origin));
  if (json) {
    const origins = Object.fromEntries(
      said.flatMap(({ path, origin }) => (origin ? [[path.join("."), origin]] : [])),
    );
    return await printJson(terminal, { config, files, choices, origins });
  }
  const { Document, isScalar, isCollection } = await import("yaml");
  const document = new Document({});
  for (const { path, value } of shown) document.setIn(path, document.createNode(value));
  for (const { path, origin } of shown) {
    const node = document.getIn(path, true);
    if (isCollection(node)) node.flow = true;
    if (origin !== undefined && (isScalar(node) || isCollection(node))) node.comment = ` ${origin}`;
  }
  const text = document.toString({ lineWidth: 0, flowCollectionPadding: false });
  await write(terminal.stdout, text);
}

async function runKeys(
  prefix: string | undefined,
  { json }: { readonly json?: boolean },
  terminal: Terminal,
): Promise<void> {
  const [{ describeKeys }, { nearestName }, { BridleError }] = await Promise.all([
    import("../config/schema-keys.js"),
    import("../config/nearest-name.js"),
    import("../errors/error.js"),
  ]);
  const rows = describeKeys(prefix);
  if (rows.length === 0) {
    const names = describeKeys().flatMap(({ key }) => {
      const parts = key.split(".");
      return parts.map((_, at) => parts.slice(0, at + 1).join("."));
    });
    const nearest = nearestName(prefix!, [...new Set(names)]);
    const meant = nearest === undefined ? "" : `; did you mean ${nearest}?`;
    throw new BridleError("RUN_CONFIG_INVALID", { problems: `there is no ${prefix}${meant}` });
  }
  if (json) return await printJson(terminal, rows);
  for (const { key, type, default: standard, description } of rows) {
    const holds = standard === undefined ? "" : ` = ${JSON.stringify(standard)}`;
    await printLine(terminal, `${key}${holds}  (${type})`);
    if (description !== "") await printLine(terminal, `    ${description}`);
  }
}

async function runGroups({ json }: { readonly json?: boolean }, terminal: Terminal): Promise<void> {
  const { groupsOf, presetFolders } = await import("../config/compose.js");
  const groups = await groupsOf(presetFolders(undefined));
  if (json) return await printJson(terminal, groups);
  for (const { group, options } of groups) {
    await printLine(terminal, `${group}: ${options.join(", ")}`);
  }
}

async function runSchema(
  { section, output, json }: SchemaOptions,
  terminal: Terminal,
): Promise<void> {
  const { runConfigJsonSchema, sections } = await import("../config/schema-keys.js");
  const { oneOf } = await import("./options.js");
  const schema = runConfigJsonSchema(
    section === undefined ? undefined : oneOf("--section", sections)(section),
  );
  const text = `${JSON.stringify(schema, null, 2)}\n`;
  if (output === undefined) return await write(terminal.stdout, text);
  const { writeOutput } = await import("../text/files/write-output.js");
  await writeOutput(output, (handle) => handle.writeFile(text));
  if (json) return await printJson(terminal, { output, section: section ?? null });
  await printLine(terminal, `The schema is in ${output}. First line of params.yaml:`);
  await printLine(terminal, `# yaml-language-server: $schema=${output}`);
}
