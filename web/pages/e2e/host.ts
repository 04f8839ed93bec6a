import { readdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'

/** host serves the built pages from an origin of their own on this machine, with the policy of docs/operate.md. Browsers give passkeys to names, and to no numbers. */
export async function host(name: '127.0.0.1' | 'localhost'): Promise<string> {
  const kinds: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' }
  const folder = join(import.meta.dirname, '..', 'built')
  const files = new Map<string, Buffer>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) files.set(path.slice(folder.length), await readFile(path))
  }
  const policy = await documentedPolicy()
  const server = createServer((request, response) => {
    const path = request.url === '/' ? '/index.html' : (request.url ?? '')
    const file = files.get(path)
    response.writeHead(file === undefined ? 404 : 200, { 'content-type': kinds[extname(path)] ?? 'text/plain', 'content-security-policy': policy })
    response.end(file)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  return `http://${name}:${(server.address() as AddressInfo).port}`
}

/** documentedPolicy is the policy that the document tells the owner of such a host to send. */
async function documentedPolicy(): Promise<string> {
  const document = await readFile(join(import.meta.dirname, '..', '..', '..', 'docs', 'operate.md'), 'utf8')
  const policy = /Content-Security-Policy "([^"]+)"/.exec(document)?.[1]
  if (policy === undefined) throw new Error('docs/operate.md names no policy')
  return policy
}
