import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { loadConfig } from '../../daemon/config.ts'

const home = { XDG_STATE_HOME: '/nowhere/state', XDG_CONFIG_HOME: '/nowhere/config' }

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

function file(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'onehop-config-'))
  folders.push(folder)
  const path = join(folder, 'config.json')
  writeFileSync(path, text)
  return path
}

test('flags over environment over file over defaults', () => {
  const path = file(JSON.stringify({ listen: { http: 1, tcp: 1, websocket: 1 }, name: 'from file' }))
  const environment = {
    ...home,
    ONEHOP_SET_LISTEN__HTTP: '2',
    ONEHOP_SET_LISTEN__TCP: '2',
    ONEHOP_SET_HOSTING__OFFER_TO: 'anyone',
  }
  const config = loadConfig({ file: path, environment, flags: ['listen.http=3'] })
  expect(config.listen).toEqual({ host: '0.0.0.0', http: 3, tcp: 2, websocket: 1 })
  expect(config.name).toBe('from file')
  expect(config.hosting.offerTo).toBe('anyone')
  expect(config.state).toBe('/nowhere/state/onehop')
})

test('strangers get nothing unless somebody says so', () => {
  expect(loadConfig({ environment: home, flags: [] }).hosting.offerTo).toBe('nobody')
})

test.each([
  ['{"listen":{"http":70000}}', 'listen.http', 'file'],
  ['{"listne":{}}', 'listne', 'file'],
  ['{"__proto__":{"x":1}}', '__proto__', 'file'],
  ['[]', 'one JSON object', 'file'],
  ['{', 'not JSON', 'file'],
  ['{"aggregate":[{"app":"*","scope":"geo"}]}', 'aggregate.0.scope', 'file'],
  ['{"listen":{"host":"bogus.invalid"}}', 'listen.host: must be an IP address of this machine', 'file'],
  ['{"network":{"allowDial":["lan"]}}', 'network.allowDial.0: must be an address or a range', 'file'],
  ['{"http":{"origins":["not a url"]}}', 'http.origins.0: must be an origin such as https://', 'file'],
  [
    '{"http":{"origins":["https://app.example/"]}}',
    'http.origins.0: must be an origin such as https://',
    'file',
  ],
  ['{"http":{"hosts":["a b"]}}', 'http.hosts.0: must be a host name such as', 'file'],
  ['{"http":{"hosts":["box.example:4180"]}}', 'http.hosts.0: must be a host name such as', 'file'],
  [
    '{"hosting":{"suspectAfterMs":7200000,"replaceAfterMs":3600000}}',
    'hosting.replaceAfterMs: must be at least hosting.suspectAfterMs',
    'file',
  ],
  [
    '{"hosting":{"suspectAfterMs":1000}}',
    'hosting.suspectAfterMs: must be longer than hosting.heartbeatMs',
    'file',
  ],
])('%s is refused, naming the setting and where it came from', (text, setting, source) => {
  const load = (): unknown => loadConfig({ file: file(text), environment: home })
  expect(load).toThrow(setting)
  expect(load).toThrow(source)
})

test('a file that was named must be there; the usual one need not', () => {
  expect(() => loadConfig({ file: '/nowhere/config.json', environment: home })).toThrow(
    'cannot read config file',
  )
  expect(loadConfig({ environment: home }).hosting.copies).toBe(3)
})

test('a flag without a value says how to write it', () => {
  expect(() => loadConfig({ environment: home, flags: ['listen.http'] })).toThrow('--set name=value')
  expect(() => loadConfig({ environment: home, flags: ['listen.nothing=1'] })).toThrow('listen.nothing')
})

test('names, origins and addresses as they must be are taken', () => {
  const { http, listen, network, hosting } = loadConfig({
    environment: home,
    flags: [
      'listen.host=::1',
      'http.hosts=["box.example","[fe80::1]"]',
      'http.origins=["https://app.example:8443"]',
      'network.allowDial=["10.0.0.0/8","fd00::1"]',
      'hosting.replaceAfterMs=3600000',
    ],
  })
  expect([listen.host, http.hosts[1], http.origins[0], network.allowDial[1], hosting.replaceAfterMs]).toEqual(
    ['::1', '[fe80::1]', 'https://app.example:8443', 'fd00::1', 3_600_000],
  )
})
