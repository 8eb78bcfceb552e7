/** node:http alone: reads the request, answers so many bytes, prepared once or stringified each time. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const bytes = Number(process.argv[2])
const text = 'Words that say little. '.repeat(20).slice(0, 300)
const posts: { readonly name: string; readonly text: string; readonly clock: number }[] = []
while (JSON.stringify(posts).length < bytes)
  posts.push({ name: `Person ${posts.length}`, text, clock: posts.length })
const prepared = Buffer.from(JSON.stringify(posts).slice(0, bytes))

const server = createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    const body = request.url === '/prepared' ? prepared : JSON.stringify(posts)
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
    response.end(body)
  })
})
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.on('disconnect', () => process.exit())
