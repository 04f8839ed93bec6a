import { createHash, timingSafeEqual, X509Certificate } from 'node:crypto'
import { Agent, request } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Door, Fetch, Transport } from '../gateway/door.js'
import { PhrdError } from '../errors.js'

/** pinnedTransport reaches gateways over TLS, and knows each by the fingerprint of its certificate's public key. A door without one is judged by the system's roots. */
export const pinnedTransport: Transport = (door) => {
  // A resumed session shows no certificate, so none is resumed.
  const agent = new Agent({ keepAlive: true, maxSockets: 8, maxCachedSessions: 0, rejectUnauthorized: door.fingerprint === '' })
  const known = new WeakSet<TLSSocket>()
  return (url, init) => send(agent, door, known, url, init)
}

function send(agent: Agent, door: Door, known: WeakSet<TLSSocket>, url: string, init: RequestInit): ReturnType<Fetch> {
  return new Promise((resolve, reject) => {
    const headers = Object.fromEntries(new Headers(init.headers))
    const body = bodyOf(init.body)
    if (body !== undefined) headers['content-length'] = String(body.byteLength)
    const signal = init.signal ?? undefined
    const asked = request(url, { agent, method: init.method, headers, ...(signal === undefined ? {} : { signal }) }, (answer) => resolve(responseOf(answer)))
    asked.on('error', reject)
    asked.on('socket', (given) => {
      const socket = socketOf(given)
      if (known.has(socket)) return asked.end(body)
      // Nothing of the request leaves before the certificate was seen.
      return socket.once('secureConnect', () => {
        const fault = faultOf(door, socket)
        if (fault !== undefined) return asked.destroy(fault)
        known.add(socket)
        return asked.end(body)
      })
    })
  })
}

function socketOf(socket: unknown): TLSSocket {
  return socket as TLSSocket // of an https.Agent it always is one
}

function faultOf(door: Door, socket: TLSSocket): Error | undefined {
  if (door.fingerprint === '') return undefined
  const key = new X509Certificate(socket.getPeerCertificate().raw).publicKey.export({ type: 'spki', format: 'der' })
  const [got, want] = [createHash('sha256').update(key).digest(), Buffer.from(door.fingerprint, 'hex')]
  const isSame = got.length === want.length && timingSafeEqual(got, want)
  return isSame ? undefined : new PhrdError('unreachable', `gateway ${door.gateway}: it has another certificate than the one it is known by`)
}

function bodyOf(body: BodyInit | null | undefined): Uint8Array | undefined {
  if (body === null || body === undefined) return undefined
  if (typeof body === 'string') return new TextEncoder().encode(body)
  if (body instanceof Uint8Array) return body
  throw new TypeError('a body is text or bytes')
}

function responseOf(answer: IncomingMessage): Response {
  const headers = Object.entries(answer.headers).flatMap(([name, value]): [string, string][] => (typeof value === 'string' ? [[name, value]] : []))
  const status = answer.statusCode ?? 0
  const hasNoBody = status === 204 || status === 304
  if (hasNoBody) answer.resume()
  return new Response(hasNoBody ? null : (Readable.toWeb(answer) as ReadableStream<Uint8Array>), { status, headers })
}
