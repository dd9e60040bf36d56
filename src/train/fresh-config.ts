// The config.json of a model that begins from nothing: what was said of it in `model.config`, checked before anything is made.
import { thisMachine } from "../config/machine.js";
import { nearestName } from "../config/nearest-name.js";
import type { RunConfig } from "../config/run-config.js";
import { BridleError } from "../errors/error.js";
import type { Graph } from "../graph/index.js";
import { findFamily } from "../model/families.js";
import type { Family, ModelConfig } from "../model/family.js";
import { pegasus } from "../model/pegasus.js";
import { size } from "../runtime/tensor.js";
import type { Tokenizer } from "../text/tokenizers/tokenizer.js";

/** Keys that the config.json of these families have or had. Source: transformers 4.57 and 5.24, and checkpoints from before. */
const knownKeys: readonly string[] =
  `_name_or_path activation_dropout activation_function add_bias_logits add_cross_attention add_final_layer_norm architectures
  attention_dropout bad_words_ids begin_suppress_tokens bos_token_id chunk_size_feed_forward classif_dropout classifier_dropout
  cross_attention_hidden_size d_ff d_kv d_model decoder_attention_heads decoder_ffn_dim decoder_layerdrop decoder_layers
  decoder_start_token_id dense_act_fn diversity_penalty do_sample dropout dropout_rate dtype early_stopping
  encoder_attention_heads encoder_ffn_dim encoder_layerdrop encoder_layers encoder_no_repeat_ngram_size eos_token_id
  eos_token_ids exponential_decay_length_penalty extra_pos_embeddings feed_forward_proj finetuning_task
  force_bos_token_to_be_generated forced_bos_token_id forced_eos_token_id gradient_checkpointing id2label init_std
  initializer_factor is_decoder is_encoder_decoder is_gated_act label2id layer_norm_epsilon length_penalty max_length
  max_position_embeddings min_length model_type n_positions no_repeat_ngram_size normalize_before normalize_embedding
  num_beam_groups num_beams num_decoder_layers num_heads num_hidden_layers num_labels num_layers num_return_sequences
  output_attentions output_hidden_states output_past output_scores pad_token_id prefix problem_type pruned_heads
  relative_attention_max_distance relative_attention_num_buckets remove_invalid_values repetition_penalty return_dict
  return_dict_in_generate scale_decoder_outputs scale_embedding sep_token_id static_position_embeddings suppress_tokens
  task_specific_params temperature tf_legacy_loss tie_encoder_decoder tie_word_embeddings tokenizer_class top_k top_p
  torch_dtype torchscript transformers_version typical_p use_bfloat16 use_cache vocab_size`.split(
    /\s+/,
  );

/**
 * A config for a model from nothing; Pegasus unless it names another architecture.
 * @throws INVALID_PARAMETER for a key that is nearly one of these families'; ARCHITECTURE_NOT_SUPPORTED
 */
export function freshConfig(given: RunConfig["model"]["config"] = {}): Record<string, unknown> {
  for (const key of Object.keys(given)) {
    const meant = knownKeys.includes(key) ? undefined : nearestName(key, knownKeys);
    if (meant === undefined) continue;
    const value = JSON.stringify(given[key])?.slice(0, 100) ?? "";
    const expected = `left out: there is no such key (did you mean ${meant}?)`;
    throw new BridleError("INVALID_PARAMETER", {
      parameter: `model.config.${key}`,
      value,
      expected,
    });
  }
  const usual = pegasus.freshConfig;
  const isUsual =
    given.architectures === undefined &&
    (given.model_type ?? usual.model_type) === usual.model_type;
  return { ...(isUsual ? usual : findFamily(given).freshConfig), ...given };
}

/** As the family reads it, with what is wrong told as what was said. @throws INVALID_PARAMETER */
export function readFreshConfig<C extends ModelConfig>(
  family: Family<C>,
  json: Record<string, unknown>,
): C {
  try {
    return family.readConfig(json);
  } catch (thrown) {
    if (!(thrown instanceof BridleError) || thrown.code !== "CONFIG_INVALID") throw thrown;
    const { key, value = "", expected = "" } = thrown.details;
    throw new BridleError("INVALID_PARAMETER", {
      parameter: `model.config.${key}`,
      value,
      expected,
    });
  }
}

/** A new model has a place for each token, and pads and ends its texts as its tokenizer does, or it would learn from what is no text. */
export function checkTokens(config: ModelConfig, tokenizer: Tokenizer): void {
  if (config.vocabSize < tokenizer.vocabSize) {
    throw new BridleError("INVALID_PARAMETER", {
      ...{ parameter: "model.config.vocab_size", value: config.vocabSize },
      expected: `${tokenizer.vocabSize}, as many as the tokenizer has, or more`,
    });
  }
  for (const [key, own, given] of [
    ["pad_token_id", config.padTokenId, tokenizer.padTokenId],
    ["eos_token_id", config.eosTokenId, tokenizer.eosTokenId],
  ] as const) {
    if (own === given) continue;
    throw new BridleError("INVALID_PARAMETER", {
      parameter: `model.config.${key}`,
      value: own,
      expected: `${given}, which is ${JSON.stringify(tokenizer.tokenOf(given))} of the tokenizer`,
    });
  }
}

/** @throws INVALID_PARAMETER where the weights alone are more than the machine's memory */
export function checkSize({ parameters }: Graph): void {
  const bytes = parameters.reduce((sum, { shape }) => sum + 4 * size(shape.map(Number)), 0);
  const { memoryBytes } = thisMachine();
  if (bytes <= memoryBytes) return;
  const gigabytes = (count: number) => `${(count / 1e9).toFixed(1)} GB`;
  throw new BridleError("INVALID_PARAMETER", {
    ...{ parameter: "model.config", value: `a model of ${gigabytes(bytes)} of weights` },
    expected: `one whose weights fit into ${gigabytes(memoryBytes)} of memory, with room to train them`,
  });
}
