// What the weights of neural models are computed with.

export const modelDTypes = ["fp32", "int8", "int4"] as const;
export type ModelDType = (typeof modelDTypes)[number];
