// Which parameters decay: weights do, biases and the weights of norms do not.

/** What transformers' Trainer leaves out, looked for in names in lower case. Source: get_decay_parameter_names. */
const exempt = /bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)/;

/** Whether weight decay applies to a parameter, by its Hugging Face name. */
export function decays(name: string): boolean {
  return !exempt.test(name.toLowerCase());
}
