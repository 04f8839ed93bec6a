/** mostOwned is how many versions one message of their owner names at most. */
export const mostOwned = 64

/** mostBoxed is how many one message names that gives them emergency boxes: more would be too much for a hardware wallet, whose app takes documents of 16 KiB. */
export const mostBoxed = 32
