import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeFolder } from '../../storage/folder.ts'
import { openStateFolder } from '../../daemon/state-folder.ts'
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
