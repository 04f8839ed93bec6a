import type { Secrets } from '#sdk/secrets.js'

const database = 'phrd'
// What a patient's vault opens with. The key of a clinician's vault is kept as any secret: without the network's half it opens nothing.
const vaultPrefix = 'vault/patient'

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error('the browser keeps nothing'))
  })
}

async function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(database, 1)
  request.onupgradeneeded = () => {
    request.result.createObjectStore('keys')
    request.result.createObjectStore('kept')
  }
  return done(request)
}

/** DeviceSecrets keep secrets of one account in this browser, encrypted with a key that no script can read out. What opens the vault without a signature is never kept: it lives until the page is locked. */
export class DeviceSecrets implements Secrets {
  readonly #database: IDBDatabase
  readonly #key: CryptoKey
  readonly #account: string
  readonly #inMemory = new Map<string, Uint8Array>()

  private constructor(database: IDBDatabase, key: CryptoKey, account: string) {
    this.#database = database
    this.#key = key
    this.#account = account
  }

  static async of(account: string): Promise<DeviceSecrets> {
    const database = await open()
    const kept: unknown = await done(database.transaction('keys').objectStore('keys').get('device'))
    if (kept instanceof CryptoKey) return new DeviceSecrets(database, kept, account)
    const drawn = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
    const keys = database.transaction('keys', 'readwrite').objectStore('keys')
    // Another tab may have drawn one meanwhile: the first one counts.
    const first: unknown = await done(keys.get('device'))
    if (first instanceof CryptoKey) return new DeviceSecrets(database, first, account)
    await done(keys.add(drawn, 'device'))
    return new DeviceSecrets(database, drawn, account)
  }

  async put(name: string, secret: Uint8Array): Promise<void> {
    if ((await this.get(name)) !== undefined) throw new Error(`there is a secret ${name} already`)
    this.#inMemory.set(name, Uint8Array.from(secret))
    await this.#write(name, name.startsWith(vaultPrefix) ? withoutKey(secret) : secret)
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    const here = this.#inMemory.get(name)
    if (here !== undefined) return Uint8Array.from(here)
    const kept: unknown = await done(this.#database.transaction('kept').objectStore('kept').get(this.#place(name)))
    if (!(kept instanceof Uint8Array)) return undefined
    const opened = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: kept.slice(0, 12), additionalData: bound(this.#place(name)) }, this.#key, kept.slice(12))
    return new Uint8Array(opened)
  }

  async names(prefix: string): Promise<string[]> {
    const place = this.#place(prefix)
    const found = await done(this.#database.transaction('kept').objectStore('kept').getAllKeys(IDBKeyRange.bound(place, `${place}\uffff`)))
    return found.map((key) => String(key).slice(this.#place('').length))
  }

  async delete(name: string): Promise<void> {
    this.#inMemory.get(name)?.fill(0)
    this.#inMemory.delete(name)
    await done(this.#database.transaction('kept', 'readwrite').objectStore('kept').delete(this.#place(name)))
  }

  /** replace is put that takes the place of what was there. */
  async replace(name: string, secret: Uint8Array): Promise<void> {
    await this.delete(name)
    await this.put(name, secret)
  }

  /** forget wipes what lives in memory alone. */
  forget(): void {
    for (const secret of this.#inMemory.values()) secret.fill(0)
    this.#inMemory.clear()
  }

  async #write(name: string, secret: Uint8Array): Promise<void> {
    const iv = crypto.getRandomValues(new Uint8Array(12))
    const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: bound(this.#place(name)) }, this.#key, Uint8Array.from(secret))
    const block = new Uint8Array(12 + sealed.byteLength)
    block.set(iv)
    block.set(new Uint8Array(sealed), 12)
    await done(this.#database.transaction('kept', 'readwrite').objectStore('kept').put(block, this.#place(name)))
  }

  #place(name: string): string {
    return `${this.#account}/${name}`
  }
}

function bound(place: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(place)
}

// Of a vault's secrets the pepper stays, which opens nothing without the wallet.
function withoutKey(secret: Uint8Array): Uint8Array {
  const { pepper } = JSON.parse(new TextDecoder().decode(secret)) as { pepper?: string }
  return new TextEncoder().encode(JSON.stringify(pepper === undefined ? {} : { pepper }))
}
