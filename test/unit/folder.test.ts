import { chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeFolder } from '../../storage/folder.ts'
import { openStateFolder, writeSecretFile } from '../../daemon/state-folder.ts'
import { systemRandom } from '../../daemon/random.ts'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'onehop-folder-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

test('a folder is made with those above it, for its owner alone, and is made once', async () => {
  await Promise.all(Array.from({ length: 5 }, () => makeFolder(join(home, 'a/b/c'))))
  for (const path of ['a', 'a/b', 'a/b/c']) expect(statSync(join(home, path)).mode & 0o777).toBe(0o700)
})

test('what is in the way is an error', async () => {
  writeFileSync(join(home, 'file'), '')
  await expect(makeFolder(join(home, 'file'))).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(makeFolder(join(home, 'file/a/b'))).rejects.toMatchObject({ code: 'ENOTDIR' })
})

test.runIf(process.platform === 'linux')(
  'where a folder takes none inside, the node says so and does not try for ever',
  async () => {
    await expect(openStateFolder('/proc/nowhere/onehop', systemRandom)).rejects.toMatchObject({
      code: 'STORE_UNWRITABLE',
    })
  },
)

test('a secret is for its owner alone, whatever lay there before', async () => {
  const path = join(home, 'secret')
  writeFileSync(path, 'old', { mode: 0o666 })
  writeFileSync(`${path}.new`, 'of a write that was cut short, and longer', { mode: 0o666 })
  await writeSecretFile(path, 'new')
  expect(readFileSync(path, 'utf8')).toBe('new')
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test.runIf(process.getuid?.() === 0)('what root writes belongs to whom the folder belongs to', async () => {
  chownSync(home, 4711, 4712)
  await writeSecretFile(join(home, 'secret'), 'of a service')
  expect(statSync(join(home, 'secret'))).toMatchObject({ uid: 4711, gid: 4712 })
})
