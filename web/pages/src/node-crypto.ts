/** webcrypto is what packages look for in Node's module crypto, where they do not find it as in every browser. */
export const webcrypto = crypto
