/** Chain is what the wallet keeps of a chain that a page suggested. */
export interface Chain {
  readonly id: string
  readonly name: string
  /** The human-readable part of addresses. */
  readonly prefix: string
  readonly rest: string
  readonly rpc: string
}

/** checkChain reads a chain as pages suggest it to Keplr. It fails for one that is not whole, has other addresses than its prefix gives, or takes fees. */
export function checkChain(suggested: unknown): Chain {
  const chain = recordOf(suggested, 'the chain')
  const prefix = textOf(recordOf(chain['bech32Config'], 'bech32Config'), 'bech32PrefixAccAddr')
  checkPrefixes(recordOf(chain['bech32Config'], 'bech32Config'), prefix)
  if (recordOf(chain['bip44'], 'bip44')['coinType'] !== 118) throw new Error('bip44.coinType is not that of Cosmos accounts, 118')
  const currencies = listOf(chain, 'currencies').map((c, i) => currencyOf(c, `currencies[${i}]`))
  if (!currencies.includes(currencyOf(chain['stakeCurrency'], 'stakeCurrency'))) throw new Error('stakeCurrency is none of the currencies')
  for (const [i, fee] of listOf(chain, 'feeCurrencies').entries()) checkFee(fee, currencies, `feeCurrencies[${i}]`)
  if (!Array.isArray(chain['features'] ?? [])) throw new Error('features is no list')
  return { id: textOf(chain, 'chainId'), name: textOf(chain, 'chainName'), prefix, rest: urlOf(chain, 'rest'), rpc: urlOf(chain, 'rpc') }
}

const endings = {
  bech32PrefixAccPub: 'pub', bech32PrefixValAddr: 'valoper', bech32PrefixValPub: 'valoperpub', bech32PrefixConsAddr: 'valcons', bech32PrefixConsPub: 'valconspub',
}

function checkPrefixes(config: Record<string, unknown>, prefix: string): void {
  if (!/^[a-z]{1,20}$/.test(prefix)) throw new Error('bech32PrefixAccAddr is not of lower-case letters')
  for (const [name, ending] of Object.entries(endings)) {
    if (config[name] !== prefix + ending) throw new Error(`${name} is not ${prefix}${ending}`)
  }
}

function checkFee(suggested: unknown, currencies: readonly string[], name: string): void {
  if (!currencies.includes(currencyOf(suggested, name))) throw new Error(`${name} is none of the currencies`)
  const steps = recordOf(recordOf(suggested, name)['gasPriceStep'], `${name}.gasPriceStep`)
  for (const step of ['low', 'average', 'high']) {
    if (steps[step] !== 0) throw new Error(`${name}.gasPriceStep.${step} is not 0: this wallet takes chains without fees only`)
  }
}

function currencyOf(suggested: unknown, name: string): string {
  const currency = recordOf(suggested, name)
  const decimals = currency['coinDecimals']
  if (!Number.isInteger(decimals) || Number(decimals) < 0 || Number(decimals) > 18) throw new Error(`${name}.coinDecimals is no number from 0 to 18`)
  textOf(currency, 'coinDenom')
  return textOf(currency, 'coinMinimalDenom')
}

function listOf(of: Record<string, unknown>, name: string): readonly unknown[] {
  const list = of[name]
  if (!Array.isArray(list) || list.length === 0) throw new Error(`${name} is no list with something in it`)
  return list
}

function recordOf(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${name} is missing`)
  return value as Record<string, unknown>
}

function textOf(of: Record<string, unknown>, name: string): string {
  const text = of[name]
  if (typeof text !== 'string' || text === '') throw new Error(`${name} is no text`)
  return text
}

function urlOf(of: Record<string, unknown>, name: string): string {
  const text = textOf(of, name)
  if (!URL.canParse(text) || new URL(text).protocol !== 'https:') throw new Error(`${name} is no https URL`)
  return text
}
