import { expect, test } from 'vitest'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { systemRandom } from '../../daemon/random.ts'
import { signAppGrant } from '../../protocol/api/app-token.ts'
import { fromHex } from '../../protocol/bytes.ts'
import { decodeLog, encodeLog } from '../../protocol/identity/entry.ts'
import { append, replay } from '../../protocol/identity/log.ts'
import {
  addDevice,
  deviceFromSeed,
  ownerAdmission,
  provePossession,
  revokeDevice,
} from '../../protocol/identity/make.ts'
import type { IdentityState } from '../../protocol/identity/types.ts'
import { httpCaller } from '../support/api-client.ts'
import { chromiumMissing, openChromium } from '../support/chromium.ts'
import { startNodeProcess } from '../support/node-process.ts'
import { until } from '../support/until.ts'
import { createSimPerson } from '../sim/writer.ts'

test.skipIf(chromiumMissing() !== undefined)(
  'the dashboard lists the apps that were let in, ends one, and says of which the device was revoked',
  async () => {
    await using node = await startNodeProcess()
    const admin = httpCaller(
      Number(new URL(node.http).port),
      new URL(node.dashboard).hash.slice('#token='.length),
    )
    const crypto = await loadCrypto({ random: systemRandom })
    const ada = createSimPerson(crypto)
    await admin('admin.host.add', { hosts: [{ log: ada.log, label: 'Ada' }] })
    const grant = async (label: string, origin: string | undefined, by = ada.owning): Promise<void> => {
      const granted = signAppGrant(
        crypto,
        {
          ...{ node: fromHex(node.node, 32) as Uint8Array, id: crypto.random(32) },
          ...{ identity: ada.owner, device: by.key, app: 'example.microblog', label, origin },
          scopes: [{ collection: origin === undefined ? undefined : 'posts', access: 'read' }],
          expiresMs: Date.now() + 30 * 86_400_000,
        },
        by.seed,
      )
      await admin('token.grant', { grant: granted })
    }

    await using chromium = await openChromium()
    const { page } = chromium
    await page.goto(node.dashboard)
    await page.getByText('People who live here (1)').waitFor()
    const title = page.getByRole('heading', { name: 'Apps with a token' })
    expect(await title.isVisible()).toBe(false)

    await grant('backup', undefined)
    await grant('Reader', 'https://reader.example')
    await title.waitFor()
    const reader = page.getByRole('listitem').filter({ hasText: 'Reader' })
    expect(await reader.innerText()).toMatch(
      /https:\/\/reader\.example · of .* · good for 29 d[^]*reads posts/,
    )
    await reader.getByRole('button', { name: 'Revoke' }).click()
    await reader.waitFor({ state: 'detached' })
    await until(async () => {
      const { tokens } = await admin('token.list', {})
      return tokens.find(({ label }) => label === 'Reader')?.revokedMs !== null
    })
    const backup = page.getByRole('listitem').filter({ hasText: 'backup' })
    expect(await backup.count()).toBe(1)

    // Granted by a tablet, which is revoked: what it let in is refused, and not shown as good.
    const tablet = deviceFromSeed(crypto, crypto.random(32))
    const state = replay(crypto, decodeLog(crypto, ada.log))
    const possession = provePossession(crypto, ada.owner, tablet)
    const admission = ownerAdmission(tablet, false)
    const grown = append(crypto, state, [addDevice(crypto, state, ada.owning, admission, possession)])
    const { entry } = revokeDevice(crypto, grown, ada.owning, tablet.key, [])
    const send = (entries: IdentityState['entries']) =>
      admin('identity.append', { identity: ada.owner, log: encodeLog(entries) })
    await send(grown.entries)
    await grant('Player', undefined, tablet)
    const player = page.getByRole('listitem').filter({ hasText: 'Player' })
    await player.getByText('good for').waitFor()
    await send([...grown.entries, entry])
    await player.getByText('no longer valid: its device was revoked').waitFor()
    expect(await player.innerText()).not.toContain('good for')
    expect(await backup.innerText()).toContain('good for')
    await player.getByRole('button', { name: 'Remove' }).click()
    await player.waitFor({ state: 'detached' })
    expect(chromium.faults).toEqual([])
  },
)
