import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../../daemon/config.ts'

const home = { XDG_STATE_HOME: '/nowhere/state', XDG_CONFIG_HOME: '/nowhere/config' }

function file(text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'onehop-config-')), 'config.json')
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

test.each([
  ['{"listen":{"http":70000}}', 'listen.http', 'file'],
  ['{"listne":{}}', 'listne', 'file'],
  ['{"__proto__":{"x":1}}', '__proto__', 'file'],
  ['[]', 'one JSON object', 'file'],
  ['{', 'not JSON', 'file'],
  ['{"aggregate":[{"app":"*","scope":"geo"}]}', 'aggregate.0.scope', 'file'],
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
