/** Everything of a person's burns but a sheet of paper: real nodes, the real command, and 24 words. */
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { fullAddress } from '../../daemon/net/node-id.ts'
import { commandEnv } from '../support/command-env.ts'
import { startNodeProcess, type NodeProcess } from '../support/node-process.ts'
import { until } from '../support/until.ts'

const bin = resolve(import.meta.dirname, '../../dist/cli/bin.js')
const folder = mkdtempSync(join(tmpdir(), 'onehop-recovery-'))
const running: NodeProcess[] = []

afterEach(async () => {
  for (const node of running.splice(0)) await node[Symbol.asyncDispose]()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Each an operator of its own in a street of its own; only the first is known to newcomers. */
async function start(index: number, changes: readonly string[] = []): Promise<NodeProcess> {
  const [first] = running
  const bootstrap = first?.addresses
    .filter((address) => /\/tcp\/\d+$/.test(address))
    .map((address) => fullAddress(first.node, address))
  const node = await startNodeProcess([
    `listen.host="127.0.${index + 1}.1"`,
    `operator="operator-${index}"`,
    `network.bootstrap=${JSON.stringify(bootstrap ?? [])}`,
    'network.allowDial=["127.0.0.0/8"]',
    'hosting.offerTo="anyone"',
    'hosting.heartbeatMs=500',
    ...changes,
  ])
  running.push(node)
  return node
}

function onehop(home: string, node: NodeProcess, args: readonly string[], input = '') {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args, '--state', node.state], {
    encoding: 'utf8',
    env: { ...commandEnv, HOME: join(folder, home) },
    input,
  })
  const lines = (): Record<string, unknown>[] =>
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  return { status, stdout, stderr, said: stdout + stderr, lines, json: () => lines()[0] ?? {} }
}

async function kill(node: NodeProcess): Promise<void> {
  running.splice(running.indexOf(node), 1)
  const ended = once(node.child, 'exit')
  node.child.kill('SIGKILL')
  await ended
  rmSync(resolve(node.state, '..'), { recursive: true, force: true })
}

interface Hosted {
  readonly identity: string
  readonly records: number
}

test(
  'devices and home are gone; words bring everything back to a new node',
  { timeout: 180_000 },
  async () => {
    const meeting = await start(0, ['hosting.offerTo="nobody"'])
    const [home, ...holders] = [await start(1), await start(2), await start(3)]
    const recordsAt = (node: NodeProcess, identity: unknown): number | undefined => {
      const hosted = onehop('ada', node, ['status', '--json']).json()['hosted'] as readonly Hosted[]
      return hosted.find((shard) => shard.identity === identity)?.records
    }
    await until(() => onehop('ada', home, ['status', '--json']).stdout.includes(holders[1]!.node), 60_000)

    const paper = join(folder, 'paper.txt')
    const refused = onehop('ada', home, ['init', '--user', 'Ada', '--json'])
    expect([refused.status, refused.said]).toEqual([5, expect.stringContaining('--words-file')])
    const init = onehop('ada', home, ['init', '--user', 'Ada', '--words-file', paper, '--json'])
    expect(init.status, init.said).toBe(0)
    expect(init.json()).toMatchObject({ wordsFile: paper, copies: 3 })
    expect(statSync(paper).mode & 0o777).toBe(0o600)
    const words = readFileSync(paper, 'utf8').trim()
    // In three shares, for three drawers: one of them burns with the house.
    const share = join(folder, 'share')
    const split = onehop('ada', home, [
      ...['recovery', 'shares', '--words-file', paper, '--shares-file', share, '--json'],
    ])
    expect(split.json()).toEqual({
      threshold: 2,
      files: [`${share}-1`, `${share}-2`, `${share}-3`],
      checked: true,
    })
    expect(statSync(`${share}-3`).mode & 0o777).toBe(0o600)
    const over = onehop('ada', home, [
      ...['recovery', 'shares', '--words-file', paper, '--shares-file', share, '--json'],
    ])
    expect([over.status, over.said]).toEqual([1, expect.stringContaining('is there already')])
    const ben = onehop('ben', holders[0]!, ['init', '--user', 'Ben', '--no-recovery', '--json']).json()
    const put = (collection: string, value: object): void => {
      const { status, said } = onehop('ada', home, ['put', collection, JSON.stringify(value), '--json'])
      expect(status, said).toBe(0)
    }
    for (const text of ['one', 'two', 'three']) put('posts', { text })
    put('notes', { text: 'nobody else reads this' })
    put('follows', { user: ben['identity'] })
    // On every disk, whichever member the command line found nearest.
    await until(
      () => [home, ...holders].every((node) => recordsAt(node, init.json()['identity']) === 6),
      60_000,
    )

    // A club that she owns, out of which somebody was put.
    const club = (...args: readonly string[]) => {
      const done = onehop('ada', home, [...args, '--node', home.http])
      expect(done.status, done.said).toBe(0)
      return done
    }
    const [group] = club('groups', 'create', 'Lab', '--writer', String(ben['identity'])).stdout.match(
      /[0-9a-f]{64}/,
    ) as [string]
    const inClub = (text: string) =>
      club('put', 'posts', JSON.stringify({ text }), '--owner', group, '--json')
    inClub('before ben left')
    club('groups', 'remove', group, String(ben['identity']))
    inClub('without ben')
    await until(() => holders.every((node) => recordsAt(node, group) === 2), 60_000)
    await until(() => holders.every((node) => recordsAt(node, init.json()['identity']) === 7), 60_000)

    await kill(home)
    rmSync(join(folder, 'ada'), { recursive: true, force: true })
    const fresh = await start(4)

    // Others' words find nobody, a slip is told at once, and nothing is read where nobody types.
    writeFileSync(join(folder, 'slip.txt'), words.split(' ').with(3, 'onehop').join(' '))
    const slip = onehop('new', fresh, ['recover', '--words-file', join(folder, 'slip.txt'), '--json'])
    expect([slip.status, slip.said]).toEqual([1, expect.stringContaining('word 4')])
    expect(onehop('new', fresh, ['recover', '--json']).status).toBe(5)

    // Who names the words may be an impostor: a script has to say whose paper it is.
    const digits = String(init.json()['identity']).slice(0, 12)
    const unsaid = onehop('new', fresh, ['recover', '--words-file', paper, '--json'])
    expect([unsaid.status, unsaid.said]).toEqual([5, expect.stringContaining(digits)])
    expect(unsaid.said).toContain('--identity')
    // A slip is told before anything is joined.
    const typo = ['recover', '--words-file', paper, '--identity', digits, '--lost', 'abcdef1234', '--json']
    const slipped = onehop('new', fresh, typo)
    expect([slipped.status, slipped.said]).toEqual([2, expect.stringContaining('--lost abcdef1234')])
    expect(onehop('new', fresh, ['devices']).status).toBe(5)
    const recover = onehop(
      'new',
      fresh,
      ['recover', '--words-file', '-', '--identity', digits, '--lost', 'all', '--json'],
      [3, 1].map((number) => readFileSync(`${share}-${number}`, 'utf8')).join(''),
    )
    expect(recover.status, recover.said).toBe(0)
    expect(recover.json()).toMatchObject({
      identity: init.json()['identity'],
      hosted: fresh.node,
      records: 7,
      whole: true,
      groups: [group],
      unbrought: [],
      unseated: true,
      others: [],
    })
    expect(new Set(recover.json()['revoked'] as string[])).toEqual(
      new Set([init.json()['device'] as string, home.node]),
    )

    const get = (collection: string): unknown[] =>
      onehop('new', fresh, ['get', collection, '--json'])
        .lines()
        .map((line) => line['value'])
    expect(get('profile')).toEqual([{ name: 'Ada' }])
    expect(get('posts')).toEqual(['three', 'two', 'one'].map((text) => ({ text })))
    expect(get('notes')).toEqual([{ text: 'nobody else reads this' }])
    expect(get('follows')).toEqual([{ user: ben['identity'] }])
    expect(onehop('new', fresh, ['devices', '--json']).lines()).toMatchObject([
      { device: init.json()['device'], revoked: true },
      { device: home.node, revoked: true },
      { device: recover.json()['device'], role: 'owner', revoked: false },
      { device: fresh.node, role: 'node', revoked: false },
    ])
    expect(onehop('new', fresh, ['put', 'posts', '{"text":"four"}']).status).toBe(0)
    // The club is as it was, and goes on from here.
    const shown = onehop('new', fresh, ['groups', group, '--json'])
    expect(shown.said).not.toContain(ben['identity'])
    expect(onehop('new', fresh, ['groups', '--json']).said).toContain('Lab')
    const written = onehop('new', fresh, ['put', 'posts', '{"text":"from the new node"}', '--owner', group])
    expect(written.status, written.said).toBe(0)
    const talks = onehop('new', fresh, ['get', 'posts', '--owner', group, '--json']).lines()
    expect(talks.map(({ value }) => value)).toEqual(
      ['from the new node', 'without ben', 'before ben left'].map((text) => ({ text })),
    )
    const bens = onehop('ben', holders[0]!, ['put', 'posts', '{"text":"ben is back"}', '--owner', group])
    expect(bens.status).not.toBe(0)
    // The box that burnt, or was carried away, has no seat.
    const { hosted: seats } = onehop('new', fresh, ['status', '--json']).json()
    expect(JSON.stringify(seats)).not.toContain(home.node)

    // Again, it changes nothing.
    const again = onehop('new', fresh, ['recover', '--words-file', paper, '--json'])
    expect(again.json(), again.said).toMatchObject({
      device: recover.json()['device'],
      revoked: [],
      whole: true,
    })

    // Somebody saw the paper: other words, and those before open nothing.
    const newer = join(folder, 'newer.txt')
    const renewed = onehop('new', fresh, ['recovery', 'new', '--words-file', newer, '--json'])
    expect(renewed.json(), renewed.said).toMatchObject({ wordsFile: newer, replaced: true })
    const old = onehop('thief', fresh, ['recover', '--words-file', paper, '--json'])
    expect([old.status, old.json()['error']]).toEqual([1, expect.objectContaining({ code: 'REVOKED' })])
    const second = onehop('second', holders[0]!, [
      'recover',
      ...['--words-file', newer, '--identity', digits, '--wait', '0', '--json'],
    ])
    expect(second.lines()[0], second.said).toMatchObject({ identity: init.json()['identity'] })

    // The words are on the paper, and nowhere else: not in what was said, nor on any disk.
    for (const { said } of [init, refused, slip, recover, again])
      expect(said).not.toContain(words.slice(0, 40))
    const [first = '', next = ''] = words.split(' ')
    for (const base of [join(folder, 'new'), ...running.map(({ state }) => state)]) {
      for (const file of globSync('**/*', { cwd: base })) {
        const path = join(base, file)
        if (statSync(path).isFile()) expect(readFileSync(path, 'latin1')).not.toContain(`${first} ${next}`)
      }
    }
    expect(meeting.child.exitCode).toBeNull()
  },
)
