/** What a stolen disk shows: secrets are planted by the real command, and every byte is searched for them. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../daemon/clock.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { statePaths } from '../../daemon/state-folder.ts'
import { searchFiles, searchStore, Words } from '../../scripts/trial/model/words-on-disk.ts'
import { deviceFromSeed } from '../../protocol/identity/make.ts'
import { entropyOfWords, recoveryFromWords } from '../../protocol/identity/recovery.ts'
import { openLevelKv } from '../../storage/kv-level.ts'
import { commandEnv } from '../support/command-env.ts'
import { startNodeProcess, type NodeProcess } from '../support/node-process.ts'

const bin = resolve(import.meta.dirname, '../../dist/cli/bin.js')
const home = mkdtempSync(join(tmpdir(), 'onehop-disk-'))
const data = join(home, '.local/share/onehop')

/** In the open, so that a search that finds nothing cannot pass for one that works. */
const known = 'Everybody may read about the lighthouse'
const planted = {
  note: 'the spare key lies under the third stone',
  'a private key field': 'dr-marigold-at-nine',
  'what is for a club': 'minutes that members alone may read',
  'a sealed file': 'a letter that was never sent to anybody',
}

let node: NodeProcess

function onehop(args: readonly string[], umask = 0o022): string {
  const before = process.umask(umask)
  try {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [bin, ...args, '--state', node.state, '--json'],
      { encoding: 'utf8', env: { ...commandEnv, HOME: home } },
    )
    expect(status, `${args.join(' ')}: ${stdout}${stderr}`).toBe(0)
    return stdout
  } finally {
    process.umask(before)
  }
}

async function foundIn(
  folder: string,
  texts: readonly string[],
  named: Readonly<Record<string, Uint8Array>> = {},
): Promise<string[]> {
  const words = new Words(texts, named)
  await searchFiles(folder, words)
  if (folder === node.state) {
    const kv = await openLevelKv(statePaths(folder).store, { clock: systemClock })
    await searchStore(kv, words)
    await kv.close()
  }
  return [...words.found]
}

/** As a secret may stand in a file. */
function forms(hex: string): string[] {
  const bytes = Buffer.from(hex, 'hex')
  return [hex, hex.toUpperCase(), bytes.toString('base64'), bytes.toString('base64url')]
}

function seedOfCommandLine(): string {
  const file = JSON.parse(readFileSync(join(data, 'cli-device.json'), 'utf8')) as {
    entries: { device: string }
  }
  return file.entries.device
}

beforeAll(async () => {
  const before = process.umask(0)
  node = await startNodeProcess()
  process.umask(before)
  onehop(['init', '--user', 'Ada', '--words-file', join(home, 'paper.txt')], 0)
  const schema = {
    ...{ onehop: 1, id: 'example.house', version: 1 },
    collections: {
      visits: {
        ...{ key: { field: 'who' }, private: true },
        fields: { who: { type: 'text', max: 100, required: true } },
      },
      talks: { key: 'none', fields: { minutes: { type: 'text', audience: 'followers' } } },
      pages: { key: 'none', private: true, fields: { letter: { type: 'blob' } } },
    },
  }
  const file = join(home, 'house.json')
  writeFileSync(file, JSON.stringify(schema))
  onehop(['schema', 'apply', file], 0)
  onehop(['put', 'posts', JSON.stringify({ text: known })], 0)
  onehop(['put', 'notes', JSON.stringify({ text: planted.note })])
  const house = ['--schema', 'example.house']
  onehop(['put', 'visits', JSON.stringify({ who: planted['a private key field'] }), ...house])
  onehop(['groups', 'create', 'Club', ...house])
  onehop([
    'put',
    'talks',
    JSON.stringify({ minutes: planted['what is for a club'] }),
    '--owner',
    'Club',
    ...house,
  ])
  const letter = join(home, 'letter.txt')
  writeFileSync(letter, planted['a sealed file'])
  onehop(['blob', 'put', letter, '--sealed'])
  rmSync(letter)
  const ended = once(node.child, 'exit')
  node.child.kill('SIGTERM')
  await ended
}, 60_000)

afterAll(async () => {
  await node[Symbol.asyncDispose]()
  rmSync(home, { recursive: true, force: true })
})

test('a node keeps in the open what is public, and nothing that is not', async () => {
  expect(await foundIn(node.state, [known, ...Object.values(planted)])).toEqual([known])
})

test('neither recovery words nor the keys of devices are on the disk of the node', async () => {
  const paper = readFileSync(join(home, 'paper.txt'), 'utf8')
  const words = paper.match(/[a-z]{3,8}/g)?.slice(-24) ?? []
  expect(words.length).toBe(24)
  // Any three in a row, whatever stands between them elsewhere.
  const lines = words.slice(2).flatMap((_, at) => {
    const three = words.slice(at, at + 3)
    return [three.join(' '), three.join('\n'), three.join('","')]
  })
  const seed = seedOfCommandLine()
  expect(seed).toMatch(/^[0-9a-f]{64}$/)
  const crypto = await loadCrypto()
  const [device, paperKeys] = [
    deviceFromSeed(crypto, Buffer.from(seed, 'hex')),
    recoveryFromWords(crypto, words),
  ]
  const secrets = {
    'the seed of the device': device.seed,
    'the box secret of the device': device.boxSecret,
    'the entropy of the words': entropyOfWords(words),
    'the seed of the words': paperKeys.seed,
    'the box secret of the words': paperKeys.boxSecret,
  }
  const spelt = Object.values(secrets).flatMap((bytes) => forms(Buffer.from(bytes).toString('hex')))
  const inTheOpen = { 'the public key of the device': device.key }
  const there = await foundIn(node.state, [known, ...lines, ...spelt], { ...secrets, ...inTheOpen })
  expect(there.toSorted()).toEqual([known, ...Object.keys(inTheOpen)])
  // The command line has its own key, and no words.
  expect(await foundIn(data, [...lines, ...spelt], secrets)).toEqual([seed])
})

test('whatever the umask, nothing secret is for others of the machine', () => {
  for (const folder of [node.state, data]) expect(statSync(folder).mode & 0o777, folder).toBe(0o700)
  // What lies in a folder that is closed to others is out of their reach; keys are closed by themselves as well.
  for (const path of [
    statePaths(node.state).store,
    ...['admin-token', 'node-key'].map((name) => join(node.state, name)),
    ...readdirSync(data).map((name) => join(data, name)),
    join(home, 'paper.txt'),
  ])
    expect(statSync(path).mode & 0o077, path).toBe(0)
})
