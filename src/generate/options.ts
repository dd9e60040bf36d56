// Generation options as a search uses them: checked, defaults filled in, lengths worked out.
import { expectationOf } from "../config/expectation.js";
import {
  type GenerateOptions,
  generateDefaults,
  generateOptionsSchema,
} from "../config/generate-options.js";
import { BridleError } from "../errors/error.js";
import type { ModelConfig } from "../model/family.js";

export type { GenerateOptions };

type Defaulted = keyof typeof generateDefaults;
type Filled = { readonly [K in Defaulted]: Exclude<GenerateOptions[K], undefined> };

/** Options with every default and length filled in. */
export interface ResolvedOptions
  extends Omit<GenerateOptions, "eosTokenId" | "forcedEosTokenId" | Defaulted>,
    Filled {
  readonly maxLength: number;
  readonly minLength: number;
  readonly minNewTokens: number;
  readonly eosTokenIds: readonly number[];
  readonly forcedEosTokenIds: readonly number[] | undefined;
  readonly padTokenId: number;
  readonly decoderStartTokenId: number;
}

/** What transformers writes where nobody says how long: 20 new tokens. */
const defaultNewTokens = 20;

function invalid(parameter: string, value: unknown, expected: string): BridleError {
  return new BridleError("INVALID_PARAMETER", {
    parameter,
    value: JSON.stringify(value),
    expected,
  });
}

const list = (ids: number | readonly number[]): readonly number[] =>
  typeof ids === "number" ? [ids] : ids;

/**
 * Options as the search uses them.
 * @throws INVALID_PARAMETER for a value out of range, a name that does not exist, or options that contradict each other.
 */
export function resolveOptions(options: GenerateOptions, config: ModelConfig): ResolvedOptions {
  const parsed = generateOptionsSchema.safeParse(options);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const unknown = issue?.code === "unrecognized_keys" ? issue.keys[0] : undefined;
    const path = unknown ?? issue?.path.join(".") ?? "options";
    const value = issue?.path.reduce<unknown>(
      (at, key) => (at as Record<PropertyKey, unknown>)?.[key],
      options,
    );
    if (unknown !== undefined)
      throw invalid(
        unknown,
        (options as Record<string, unknown>)[unknown],
        "left out: no such option exists",
      );
    throw invalid(path, value, expectationOf(issue));
  }
  const o = fill(parsed.data);
  const prompt = 1;
  let maxLength = o.maxLength;
  if (o.maxNewTokens !== undefined) maxLength = o.maxNewTokens + prompt;
  maxLength ??= Math.min(
    defaultNewTokens + prompt,
    config.maxPositions ?? Number.POSITIVE_INFINITY,
  );
  const minLength = o.minNewTokens !== undefined ? o.minNewTokens + prompt : (o.minLength ?? 0);
  if (maxLength <= prompt) {
    throw invalid("maxLength", maxLength, "at least 2: the start token and one more");
  }
  if (minLength > maxLength) {
    const isNew = o.minNewTokens !== undefined;
    const most = isNew ? maxLength - prompt : maxLength;
    throw invalid(
      isNew ? "minNewTokens" : "minLength",
      isNew ? o.minNewTokens : o.minLength,
      `no more than the maximum, ${most}`,
    );
  }
  if (config.maxPositions !== undefined && maxLength - 1 > config.maxPositions) {
    const name = o.maxNewTokens !== undefined ? "maxNewTokens" : "maxLength";
    throw invalid(
      name,
      options[name],
      `at most ${config.maxPositions} positions, which is all the model has`,
    );
  }
  if (o.numBeamGroups > 1) {
    if (o.numBeams % o.numBeamGroups !== 0)
      throw invalid("numBeamGroups", o.numBeamGroups, `a divisor of numBeams, ${o.numBeams}`);
    if (o.doSample) throw invalid("doSample", true, "false with numBeamGroups");
    if (o.diversityPenalty === 0)
      throw invalid("diversityPenalty", 0, "above 0 with numBeamGroups, or all groups are alike");
  } else if (o.diversityPenalty > 0) {
    throw invalid("diversityPenalty", o.diversityPenalty, "0, or used with numBeamGroups above 1");
  }
  if (o.numBeams === 1) {
    if (o.numReturnSequences > 1 && !o.doSample) {
      throw invalid(
        "numReturnSequences",
        o.numReturnSequences,
        "1 in greedy search; use numBeams or doSample for more",
      );
    }
  } else if (o.numReturnSequences > o.numBeams) {
    throw invalid("numReturnSequences", o.numReturnSequences, `at most numBeams, ${o.numBeams}`);
  }
  const inVocabulary: [string, readonly number[] | undefined][] = [
    ["badWordsIds", o.badWordsIds?.flat()],
    ["sequenceBias", o.sequenceBias?.flatMap(([ids]) => ids)],
    ["forcedBosTokenId", o.forcedBosTokenId == null ? undefined : [o.forcedBosTokenId]],
    ["forcedEosTokenId", o.forcedEosTokenId == null ? undefined : list(o.forcedEosTokenId)],
    ["suppressTokens", o.suppressTokens],
    ["beginSuppressTokens", o.beginSuppressTokens],
    ["eosTokenId", o.eosTokenId === undefined ? undefined : list(o.eosTokenId)],
    ["padTokenId", o.padTokenId === undefined ? undefined : [o.padTokenId]],
    [
      "decoderStartTokenId",
      o.decoderStartTokenId === undefined ? undefined : [o.decoderStartTokenId],
    ],
  ];
  for (const [name, ids] of inVocabulary) {
    const outside = ids?.find((id) => id >= config.vocabSize);
    if (outside !== undefined) throw invalid(name, outside, `a token id below ${config.vocabSize}`);
  }
  for (const name of ["forcedBosTokenId", "forcedEosTokenId"] as const) {
    const forced = o[name];
    if (forced != null && list(forced).every((id) => o.suppressTokens?.includes(id))) {
      throw invalid(name, forced, "a token that suppressTokens does not forbid");
    }
  }
  return {
    ...o,
    maxLength,
    minLength,
    minNewTokens: o.minNewTokens ?? 0,
    eosTokenIds: [...new Set(list(o.eosTokenId ?? config.eosTokenId))],
    forcedEosTokenIds: o.forcedEosTokenId == null ? undefined : list(o.forcedEosTokenId),
    padTokenId: o.padTokenId ?? config.padTokenId,
    decoderStartTokenId: o.decoderStartTokenId ?? config.decoderStartTokenId,
  };
}

function fill(options: GenerateOptions): GenerateOptions & Filled {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...generateDefaults, ...Object.fromEntries(given) };
}

/** Options that change nothing unless tokens are drawn. */
export const samplingOnly: readonly (keyof GenerateOptions)[] = [
  ...(["temperature", "topK", "topP", "minP", "topH"] as const),
  ...(["typicalP", "epsilonCutoff", "etaCutoff"] as const),
];
/** Options that change nothing unless there are beams. */
const beamsOnly = ["lengthPenalty", "earlyStopping"] as const satisfies (keyof GenerateOptions)[];

/**
 * What a caller asked for over a folder's defaults. A length asked for goes before the folder's under its other name, and
 * a folder's minimum gives way to a maximum below it.
 * @throws INVALID_PARAMETER as `resolveOptions`, saying so where the folder set the value; and for an option asked for that
 * would change nothing
 */
export function overDefaults(
  defaults: GenerateOptions,
  asked: GenerateOptions,
  config: ModelConfig,
): GenerateOptions {
  const given = Object.fromEntries(
    Object.entries(asked).filter(([, value]) => value !== undefined),
  ) as GenerateOptions;
  const base: { -readonly [K in keyof GenerateOptions]: GenerateOptions[K] } = { ...defaults };
  const pairs = [
    ["maxLength", "maxNewTokens"],
    ["minLength", "minNewTokens"],
  ] as const;
  for (const names of pairs) {
    if (names.some((name) => given[name] !== undefined))
      for (const name of names) delete base[name];
  }
  const asksMinimum = given.minLength !== undefined || given.minNewTokens !== undefined;
  const maximum = given.maxLength ?? (given.maxNewTokens ?? Number.POSITIVE_INFINITY) + 1;
  if (!asksMinimum && Math.max(base.minLength ?? 0, (base.minNewTokens ?? -1) + 1) > maximum) {
    delete base.minLength;
    delete base.minNewTokens;
  }
  const options = { ...base, ...given };
  let resolved: ResolvedOptions;
  try {
    resolved = resolveOptions(options, config);
  } catch (thrown) {
    throw thrown instanceof BridleError ? byFolder(thrown, given, base) : thrown;
  }
  const changes = (name: keyof GenerateOptions) =>
    given[name] !== undefined && given[name] !== generateDefaults[name as Defaulted];
  const idle = resolved.doSample ? undefined : samplingOnly.find(changes);
  if (idle !== undefined) throw invalid(idle, given[idle], "used with doSample: true");
  const alone = resolved.numBeams > 1 ? undefined : beamsOnly.find(changes);
  if (alone !== undefined) throw invalid(alone, given[alone], "used with numBeams above 1");
  return options;
}

/** Options without those of a folder that change nothing beside what was asked for over them. */
export function withoutIdle(options: GenerateOptions): GenerateOptions {
  const { numBeams = 1, doSample = false } = options;
  const idle: readonly string[] = [
    ...(numBeams === 1 ? beamsOnly : []),
    ...(doSample ? [] : samplingOnly),
  ];
  return Object.fromEntries(Object.entries(options).filter(([name]) => !idle.includes(name)));
}

/** The error about an option that nobody asked for says where it comes from; what nobody has set is the default. */
function byFolder(
  error: BridleError,
  given: GenerateOptions,
  defaults: GenerateOptions,
): BridleError {
  const name = String(error.details.parameter).split(".")[0] as keyof GenerateOptions;
  if (error.code !== "INVALID_PARAMETER" || given[name] !== undefined) return error;
  if (defaults[name] === undefined) return error;
  const expected = `${error.details.expected} (the model's own generation_config.json sets it)`;
  return new BridleError("INVALID_PARAMETER", { ...error.details, expected });
}
