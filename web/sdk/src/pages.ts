interface Page {
  readonly nextKey: Uint8Array
}

const pageSize = 200n

/** paged lists what a query answers page by page; ask is given the pagination of each. */
export async function* paged<T>(
  ask: (pagination: { key: Uint8Array<ArrayBuffer>; limit: bigint }) => Promise<{ found: readonly T[]; pagination: Page | undefined }>,
): AsyncGenerator<T, undefined> {
  for (let key = new Uint8Array(); ; ) {
    const { found, pagination } = await ask({ key, limit: pageSize })
    yield* found
    if (pagination === undefined || pagination.nextKey.length === 0) return
    key = Uint8Array.from(pagination.nextKey)
  }
}

/** collect is a whole list. */
export async function collect<T>(list: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const one of list) found.push(one)
  return found
}
