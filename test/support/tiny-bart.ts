// The config of a BART that is small enough to differentiate in a test.
export const tinyBartConfig = {
  ...{ architectures: ["BartForConditionalGeneration"], activation_function: "gelu" },
  ...{ d_model: 16, encoder_layers: 2, decoder_layers: 2, vocab_size: 40 },
  ...{ encoder_attention_heads: 2, decoder_attention_heads: 2 },
  ...{ encoder_ffn_dim: 24, decoder_ffn_dim: 24, max_position_embeddings: 12 },
  ...{ dropout: 0, pad_token_id: 1, eos_token_id: 2, decoder_start_token_id: 2 },
};
