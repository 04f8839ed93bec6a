import { PhrdError, type Kind } from '../errors.js'

const kinds: Readonly<Record<number, Kind>> = {
  401: 'login', 403: 'forbidden', 404: 'not found', 410: 'not found', 429: 'unreachable', 502: 'unreachable', 503: 'unreachable', 504: 'unreachable',
}

/** Problem is an error answer of a gateway (RFC 9457). */
export class Problem extends PhrdError {
  readonly status: number

  constructor(kind: Kind, status: number, message: string) {
    super(kind, message)
    this.status = status
  }
}

/** problemOf reads an answer that is no success. */
export async function problemOf(gateway: string, response: Response): Promise<Problem> {
  const body: unknown = await response.json().catch(() => undefined)
  const [title, detail] = [textOf(body, 'title'), textOf(body, 'detail')]
  const text = detail === '' ? title : `${title}: ${detail}`
  return new Problem(kinds[response.status] ?? 'answer', response.status, `gateway ${gateway}: ${response.status}: ${text}`)
}

function textOf(body: unknown, field: string): string {
  if (typeof body !== 'object' || body === null) return ''
  const value: unknown = Reflect.get(body, field)
  return typeof value === 'string' ? value : ''
}
